"""Calls can be observed, and held at gates."""

import asyncio

import pytest

from service.local.calls import Calls
from tests.local.bedrock import CLAUDE, Local, frames_of, user
from tests.waiting import patience


async def test_a_gate_holds_the_answer_after_its_number_of_deltas_until_it_is_released(local: Local) -> None:
    async with local.open("gate@2") as response:
        frames = frames_of(response)
        for _ in range(3):  # messageStart and two deltas
            await anext(frames)
        call = local.calls[-1]
        async with patience():
            await local.calls.wait_until(lambda _: call.state == "waiting")
        assert call.deltas == 2

        call.release()
        rest = [frame async for frame in frames]

    assert rest[-1].headers[":event-type"] == "metadata"
    async with patience():
        await call.closed.wait()
    assert call.state == "closed"
    assert not call.client_left


async def test_a_release_before_the_gate_is_stored(local: Local) -> None:
    request = asyncio.create_task(_read(local, "gate"))
    async with patience():
        call = await local.calls.wait_for_call(1)
    call.release()
    async with patience():
        assert await request > 10


async def _read(local: Local, fault: str) -> int:
    async with local.open(fault) as response:
        return len([frame async for frame in frames_of(response)])


async def test_a_stepped_answer_waits_before_every_delta(local: Local) -> None:
    async with local.open("step") as response:
        frames = frames_of(response)
        await anext(frames)
        call = local.calls[-1]
        for count in range(1, 4):
            call.release()
            await anext(frames)
            async with patience():
                await local.calls.wait_until(lambda _: call.waiting and call.deltas >= count)  # noqa: B023 awaited at once
            assert call.deltas == count


async def test_a_disconnect_is_noticed(local: Local) -> None:
    async with local.open("stall@1") as response:
        await anext(frames_of(response))
        call = local.calls[-1]

    async with patience():
        await call.closed.wait()
    assert call.client_left


@pytest.mark.parametrize("fault", ["gate", "slow=60"])
async def test_a_disconnect_before_the_headers_is_noticed(local: Local, fault: str) -> None:
    request = asyncio.create_task(_read(local, fault))
    async with patience():
        call = await local.calls.wait_for_call(1)
    request.cancel()
    await asyncio.wait({request})

    async with patience():
        await call.closed.wait()
    assert call.client_left


async def test_a_whole_answer_is_cancelled_when_its_client_disconnects(local: Local) -> None:
    body = {"messages": [user("Write 900 words")]}
    headers = {"X-Artesian-Fault": "rate=1"}
    request = asyncio.create_task(local.http.post(f"/model/{CLAUDE}/converse", json=body, headers=headers))
    async with patience():
        call = await local.calls.wait_for_call(1)
    request.cancel()
    await asyncio.wait({request})

    async with patience():
        await call.closed.wait()
    assert call.client_left


async def test_calls_are_listed_over_http(local: Local) -> None:
    await _read(local, "ok")
    async with local.open("throttle"):
        pass

    listed = (await local.http.get("/_local/calls")).json()["calls"]

    assert [(call["operation"], call["model"], call["status"]) for call in listed] == [
        ("converse-stream", CLAUDE, 200),
        ("converse-stream", CLAUDE, 429),
    ]
    assert listed[0]["state"] == "closed"
    assert listed[0]["deltas"] > 5
    assert not listed[0]["client_left"]


async def test_gates_are_released_over_http(local: Local) -> None:
    request = asyncio.create_task(_read(local, "gate@1+gate@2"))
    waiting = await local.http.get("/_local/calls/1", params={"state": "waiting", "deltas": 1})
    assert waiting.json()["deltas"] == 1

    await local.http.post("/_local/release", params={"call": 1, "times": 1})
    assert (await local.http.get("/_local/calls/1", params={"state": "waiting", "deltas": 2})).status_code == 200
    await local.http.post("/_local/release")

    async with patience():
        assert await request > 10
    closed = await local.http.get("/_local/calls/1", params={"state": "closed"})
    assert closed.json()["state"] == "closed"


async def test_the_routes_for_calls_reject_invalid_parameters_and_time_out(local: Local) -> None:
    await _read(local, "ok")

    assert (await local.http.get("/_local/calls/1", params={"state": "waiting", "timeout": 0})).status_code == 408
    assert (await local.http.get("/_local/calls/9", params={"timeout": "soon"})).status_code == 400
    assert (await local.http.post("/_local/release", params={"call": 9})).status_code == 404
    assert (await local.http.post("/_local/release", params={"call": "x"})).status_code == 400
    assert (await local.http.delete("/_local/calls")).status_code == 204
    assert (await local.http.get("/_local/calls")).json() == {"calls": []}


async def test_a_request_without_its_whole_body_is_not_a_call(local: Local) -> None:
    host, _, port = local.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /model/{CLAUDE}/converse HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    await _read(local, "ok")

    assert [call.number for call in local.calls] == [1]


async def test_the_number_of_stored_scripts_is_bounded() -> None:
    calls = Calls()
    for number in range(4_200):
        calls.open("converse", CLAUDE, f"key {number}")

    assert calls.open("converse", CLAUDE, "key 4199").attempt == 1
    assert calls.open("converse", CLAUDE, "key 0").attempt == 0
    assert len(list(calls)) == 1_000


async def test_closed_calls_are_not_released_and_open_calls_are_not_deleted() -> None:
    calls = Calls()
    over, under_way = (calls.open("converse", CLAUDE, "") for _ in range(2))
    over.close(client_left=False)

    calls.release()
    calls.clear()

    assert list(calls) == [under_way]
    async with patience():
        await under_way.gate()
