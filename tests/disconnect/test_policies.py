"""What becomes of a generation without a reader: `cancel`, `detach` or `drain`, by setting, by field and by header."""

import asyncio

import pytest

from tests.disconnect.test_moments import ended, nothing_is_left
from tests.harness import Json, Service, fault_header, running, text_of
from tests.native.gates import call_of, release
from tests.waiting import eventually, let_pass

WAYS = ["by setting", "by field", "by header"]


async def leave(service: Service, *, way: str, policy: str, fault: str = "gate@2", **body: str) -> str:
    """Read two pieces of a stream and go; return the stream's id."""
    headers = {"X-On-Disconnect": policy} if way == "by header" else {}
    if way == "by field":
        body["on_disconnect"] = policy
    async with service.open(fault=fault, headers=headers, **body) as events:
        stream_id: str = (await anext(events)).data["stream_id"]
        for _ in range(2):
            await anext(events)
    return stream_id


def setting(way: str, policy: str, otherwise: str) -> Json:
    return {"on_disconnect": policy if way == "by setting" else otherwise}


@pytest.mark.parametrize("way", WAYS)
async def test_cancel_stops_bedrock_at_once(way: str) -> None:
    async with running(**setting(way, "cancel", "drain")) as service:
        stream_id = await leave(service, way=way, policy="cancel")

        assert (await call_of(service, state="closed"))["client_left"] is True
        assert (await eventually(lambda: ended(service, stream_id)))["state"] == "cancelled"


@pytest.mark.parametrize("way", WAYS)
async def test_detach_gives_the_reader_its_grace_to_come_back(way: str) -> None:
    async with running(resume_grace=60, **setting(way, "detach", "cancel")) as service:
        stream_id = await leave(service, way=way, policy="detach")
        await release(service)
        state = await eventually(lambda: ended(service, stream_id))

        assert state["state"] == "done"
        assert (await call_of(service, state="closed"))["client_left"] is False


@pytest.mark.parametrize("way", WAYS)
async def test_detach_stops_bedrock_when_the_grace_is_over(way: str) -> None:
    async with running(resume_grace=0.2, **setting(way, "detach", "drain")) as service:
        stream_id = await leave(service, way=way, policy="detach")

        assert (await call_of(service, state="closed"))["client_left"] is True
        assert (await eventually(lambda: ended(service, stream_id)))["state"] == "cancelled"


@pytest.mark.parametrize("way", WAYS)
async def test_drain_lets_bedrock_finish_for_an_exact_bill(way: str) -> None:
    async with running(resume_grace=0, **setting(way, "drain", "cancel")) as service:
        plain = await service.ask()
        stream_id = await leave(service, way=way, policy="drain")
        await call_of(service, 2, state="waiting")
        await release(service)
        state = await eventually(lambda: ended(service, stream_id))

    assert state["state"] == "done"
    assert state["text"] == plain["text"]
    assert state["usage"] == plain["usage"]


async def test_the_header_has_the_last_word_over_the_field_and_the_field_over_the_setting() -> None:
    async with running(on_disconnect="drain") as service:
        await leave(service, way="by header", policy="cancel", on_disconnect="drain")
        assert (await call_of(service, 1, state="closed"))["client_left"] is True

        await leave(service, way="by field", policy="cancel")
        assert (await call_of(service, 2, state="closed"))["client_left"] is True


async def test_a_reader_that_comes_back_within_its_grace_keeps_the_stream_alive() -> None:
    async with running(resume_grace=0.5) as service:
        plain = await service.stream()
        async with service.open(fault="gate@2") as events:
            seen = [await anext(events) for _ in range(3)]

        async with service.http.stream("GET", "/api/generate", headers={"Last-Event-ID": seen[-1].id}) as response:
            assert response.status_code == 200
            await let_pass(0.8)  # the grace period that ran before has ended by now
            assert (await call_of(service, 2))["state"] == "waiting"
        await release(service)
        rest = await service.resume(seen[-1].id)

    assert text_of(seen + rest) == text_of(plain)


async def test_one_reader_is_enough() -> None:
    async with running(on_disconnect="cancel") as service, service.open(fault="gate@2") as events:
        start = await anext(events)
        async with service.http.stream("GET", "/api/generate", headers={"Last-Event-ID": start.id}) as other:
            assert other.status_code == 200
        await release(service)

        assert [event async for event in events][-1].data["stop_reason"] == "end_turn"


@pytest.mark.parametrize("policy", ["detach", "drain"])
async def test_a_whole_answer_without_a_key_is_always_cancelled(policy: str) -> None:
    """Nobody could come back to it."""
    async with running(on_disconnect=policy) as service:
        body = {"prompt": "Hi", "on_disconnect": policy}
        asking = asyncio.create_task(service.http.post("/api/generate", json=body, headers=fault_header("gate@2")))
        await call_of(service, state="waiting")
        asking.cancel()

        assert (await call_of(service, state="closed"))["client_left"] is True
        await nothing_is_left(service)


async def test_a_whole_answer_with_a_key_can_be_come_back_to() -> None:
    async with running() as service:
        headers = {"Idempotency-Key": "k", **fault_header("gate@2")}
        asking = asyncio.create_task(service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers))
        await call_of(service, state="waiting")
        asking.cancel()
        await asyncio.wait([asking])
        await release(service)
        answer = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"Idempotency-Key": "k"})

        assert answer.json()["stop_reason"] == "end_turn"
        assert len(await service.calls()) == 1


async def test_an_event_source_has_the_default_grace() -> None:
    async with running() as service:
        headers = {"Accept": "text/event-stream", **fault_header("gate@2")}
        async with service.http.stream("GET", "/api/generate?prompt=Hi", headers=headers) as response:
            stream_id = response.headers["x-stream-id"]
            await call_of(service, state="waiting")
        await release(service)

        assert (await eventually(lambda: ended(service, stream_id)))["state"] == "done"


@pytest.mark.parametrize("wrong", ["", "explode", "Cancel"])
async def test_a_policy_that_is_none_is_refused_by_name(service: Service, wrong: str) -> None:
    by_header = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"X-On-Disconnect": wrong})
    by_field = await service.http.post("/api/generate", json={"prompt": "Hi", "on_disconnect": wrong})

    assert (by_header.status_code, by_field.status_code) == (422, 422)
    assert "X-On-Disconnect" in by_header.json()["error"]
    assert "on_disconnect" in by_field.json()["error"]
