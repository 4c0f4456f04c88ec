"""Readers that stop reading: they cost their place in the log, for a while, and nobody else feels them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.disconnect.test_moments import ended, streams_are
from tests.harness import Event, Json, Service, running, text_of
from tests.native.talker import talking
from tests.waiting import eventually, patience

WORD = "x" + " " * 99_999  # two of the local Bedrock's tokens
MANY = [WORD] * 120  # 12 MB: more than the kernel's buffers take


async def test_a_reader_that_does_not_read_is_let_go_and_can_come_back_for_the_rest() -> None:
    async with talkative(MANY, send_timeout=0.3, on_disconnect="drain") as service:
        async with deaf_reader(service) as reader:
            stream_id = await id_of(reader)
            state = await eventually(lambda: ended(service, stream_id))
            received = await reader.read()  # what the kernel had, and then the end of the connection

        assert state["state"] == "done"
        seen = [event for event in whole_events(received) if "text" in event.data]
        assert len(seen) < len(MANY)
        rest = await service.resume(seen[-1].id if seen else f"{stream_id}-1")
        assert text_of(seen + rest) == "".join(MANY)


async def test_a_brisk_reader_does_not_feel_a_deaf_one() -> None:
    async with talkative(MANY, send_timeout=60) as service, deaf_reader(service) as reader:
        stream_id = await id_of(reader)
        async with patience():
            assert text_of(await service.resume(f"{stream_id}-0")) == "".join(MANY)


async def test_a_stream_that_is_evicted_under_a_reader_ends_for_it_as_gone_and_without_a_gap() -> None:
    room_for_one = len(WORD) * (len(MANY) + 20)
    async with (
        talkative(MANY, send_timeout=60, stream_memory=room_for_one) as service,
        deaf_reader(service) as reader,
    ):
        stream_id = await id_of(reader)
        await eventually(lambda: ended(service, stream_id))
        await service.stream()  # as large again: the oldest finished stream makes room
        events = whole_events(await reader.read())

    assert events[-1].data["code"] == "gone"
    assert events[-1].data["partial"] is True
    assert len(events) < len(MANY)
    assert [event.n for event in events] == list(range(events[0].n, events[0].n + len(events)))


async def test_a_deaf_reader_that_hangs_up_is_a_reader_that_left() -> None:
    async with talkative(MANY, send_timeout=60, on_disconnect="cancel") as service:
        async with deaf_reader(service) as reader:
            await id_of(reader)
        await eventually(lambda: streams_are(service, 0))


@asynccontextmanager
async def talkative(words: Sequence[str], **settings: object) -> AsyncIterator[Service]:
    values: Json = dict(settings)
    async with talking(words) as url, running(local_text_url=url, **values) as service:
        yield service


@asynccontextmanager
async def deaf_reader(service: Service) -> AsyncIterator[asyncio.StreamReader]:
    """Ask for a stream over a connection that takes in as little as it can."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", int(service.url.rpartition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    body = json.dumps({"prompt": "Hi"}).encode()
    head = "POST /api/generate/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    try:
        yield reader
    finally:
        writer.close()


async def id_of(reader: asyncio.StreamReader) -> str:
    """Read the headers, and nothing more."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    return head.partition("x-stream-id: ")[2][:32]


def whole_events(chunked: bytes) -> list[Event]:
    """Read the events that came whole, out of a body in chunks that may have been cut."""
    body, rest = b"", chunked
    while rest:
        size, separator, rest = rest.partition(b"\r\n")
        if not separator:
            break
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    blocks = [block for block in body.decode().split("\n\n")[:-1] if "data: " in block]
    return [event_of(block) for block in blocks]


def event_of(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    return Event(fields.get("event", "message"), fields["id"], json.loads(fields["data"]))
