"""The bytes of these surfaces, read without anybody's client: the table of what breaks whom."""

import re

import pytest

from tests.dialect_parity import asks
from tests.dialect_parity.test_reading import BODIES, PATHS, opened, streamed
from tests.harness import Json, Service, fault_header, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAUSES = fault_header("slow-first=0.1+pause=0.1@1+pause=0.1@2+pause=0.1@3")


@pytest.mark.parametrize("surface", ["chat", "responses"])
async def test_openais_surfaces_send_no_ids_and_their_heartbeat_is_no_event(shared: Service, surface: str) -> None:
    _, sent = await streamed(shared, surface, headers=PAUSES)

    assert b": keep-alive\n" in sent
    assert b": keep-alive\n\n" not in sent
    assert not re.search(rb"^(id|retry):", sent, re.MULTILINE)
    assert not re.search(rb"^data:\s*$", sent, re.MULTILINE)
    for block in sent.strip().split(b"\n\n"):
        assert b"data: " in block


async def test_anthropics_surface_pings(shared: Service) -> None:
    _, sent = await streamed(shared, "messages", headers=PAUSES)

    assert b'event: ping\ndata: {"type":"ping"}\n\n' in sent
    assert b": keep-alive" not in sent
    assert not re.search(rb"^retry:", sent, re.MULTILINE)
    for block in sent.strip().split(b"\n\n"):
        assert re.search(rb"^event: \w+\ndata: ", block, re.MULTILINE)


@pytest.mark.parametrize("surface", PATHS)
async def test_a_stream_is_of_one_piece_and_not_to_be_kept(shared: Service, surface: str) -> None:
    async with opened(shared, surface) as response:
        await response.aread()

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-stream-id"])


async def test_chat_ends_in_done_and_tells_the_usage_only_to_who_asks(shared: Service) -> None:
    _, without = await streamed(shared, "chat")
    _, asked = await streamed(shared, "chat", BODIES["chat"] | {"stream_options": {"include_usage": True}})

    assert without.endswith(b"data: [DONE]\n\n")
    assert asked.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in without
    assert asked.count(b'"usage":null') == asked.count(b"data: ") - 2
    assert b'"choices":[],"usage":{"prompt_tokens"' in asked


@pytest.mark.parametrize("surface", PATHS)
async def test_what_readers_take_for_line_ends_leaves_as_escapes(shared: Service, surface: str) -> None:
    said = 'Say "a\u2028b\u2029c\u0085d"'
    body: Json = getattr(asks, surface)(said)
    _, sent = await streamed(shared, surface, body)

    assert not set("\u2028\u2029\u0085") & set(sent.decode())
    assert b"\\u2028" in sent


@pytest.mark.parametrize("surface", PATHS)
async def test_the_status_line_does_not_wait_for_a_model_that_thinks(surface: str) -> None:
    async with (
        running(commit_after=0.05, heartbeat=0.02) as service,
        opened(service, surface, headers=fault_header("gate@open")) as response,
    ):
        first = await anext(response.aiter_bytes())

    assert first
    assert response.status_code == 200
