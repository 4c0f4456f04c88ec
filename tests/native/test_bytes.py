"""What stands between and inside the events: heartbeats, and characters that some readers take for a line end."""

import json
import re

import httpx_sse
import pytest

from tests.harness import Service, running, text_of
from tests.native.gates import call_of, release
from tests.native.raw import read_raw
from tests.native.talker import talking

LINE_ENDS = {"NEL": "\x85", "LS": "\u2028", "PS": "\u2029", "VT": "\v", "FF": "\f", "CR": "\r", "LF": "\n"}


async def test_a_silence_is_filled_with_comments_that_no_reader_takes_for_an_event() -> None:
    async with running(heartbeat=0.05) as service:
        address, body = "/api/generate/stream", {"prompt": "Hi"}
        headers = {"X-Artesian-Fault": "gate@2"}
        async with service.http.stream("POST", address, json=body, headers=headers) as response:
            received = b""
            async for piece in response.aiter_raw():
                received += piece
                if received.count(b": keep-alive\n") == 3:
                    await release(service)
        plain = await read_raw(service)

    assert b"\n\n: keep-alive\n" in received
    assert received.count(b": keep-alive\n") >= 3
    assert b": keep-alive\n\n" not in received
    without = received.replace(b": keep-alive\n", b"")
    assert [block.partition(b"data: ")[2] for block in without.split(b"\n\n")][1:-2] == [
        block.partition(b"data: ")[2] for block in plain.body.split(b"\n\n")
    ][1:-2]


async def test_heartbeats_do_not_count_as_events() -> None:
    async with running(heartbeat=0.03) as service, service.open(fault="gate@2") as events:
        shown = [await anext(events) for _ in range(3)]
        await call_of(service, state="waiting")
        async with service.http.stream("GET", "/api/generate", headers={"Last-Event-ID": shown[-1].id}) as other:
            async for piece in other.aiter_raw():
                if b": keep-alive" in piece:
                    break
        await release(service)
        shown += [event async for event in events]

    assert [event.n for event in shown] == list(range(1, len(shown) + 1))


@pytest.mark.parametrize("name", LINE_ENDS)
async def test_a_character_that_ends_lines_for_some_readers_leaves_as_an_escape(name: str) -> None:
    words = [f"before{LINE_ENDS[name]}", f"{LINE_ENDS[name]}after", " ünïcode 水 🚀"]
    async with talking(words) as url, running(local_text_url=url) as service:
        raw = await read_raw(service)
        async with service.http.stream("POST", "/api/generate/stream", json={"prompt": "Hi"}) as response:
            lines = [line async for line in response.aiter_lines()]  # httpx cuts at each of them
            events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    text = raw.body.decode()
    assert re.findall(f"[{LINE_ENDS['NEL']}\u2028\u2029\v\f\r]", text) == []
    assert text.count("\n\n") == len(raw.blocks)
    assert "".join(event.get("text", "") for event in events) == "".join(words)
    assert "ünïcode 水 🚀" in text


async def test_an_escaped_character_is_escaped_in_arguments_and_refusals_too(service: Service) -> None:
    raw = await read_raw(service, prompt="Hi", model_id="amazon.nova\u2028\x85-lite")
    address = "/api/generate?prompt=Hi&model_id=amazon.nova%E2%80%A8-lite"
    refused = await service.http.get(address, headers={"Accept": "text/event-stream"})

    assert raw.status == 404
    assert refused.status_code == 200
    assert "\u2028" not in refused.text
    assert len(refused.text.splitlines()) == len(refused.text.split("\n")) - 1


async def test_any_text_comes_out_as_it_went_in() -> None:
    words = [
        "\x00",
        "\x1f",
        '"',
        "\\",
        "\\u2028",
        "</script>",
        "\ufeff",
        "e\u0301",
        "👩‍👩‍👧",
        "\ud7ff",
        "\U0010ffff",
        " ",
    ]
    async with talking(words) as url, running(local_text_url=url) as service:
        events = await service.stream()
        answer = await service.ask()
        async with httpx_sse.aconnect_sse(
            service.http, "GET", "/api/generate", headers={"Last-Event-ID": f"{answer['stream_id']}-0"}
        ) as source:
            again = [json.loads(sse.data) async for sse in source.aiter_sse()]

    assert text_of(events) == answer["text"] == "".join(words)
    assert "".join(event.get("text", "") for event in again) == "".join(words)
