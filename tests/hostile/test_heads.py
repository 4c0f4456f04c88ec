"""What comes before a body: an address and headers without end are not taken."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from service.app import create_app
from service.server import configuration
from tests.harness import settings
from tests.waiting import loop_turns, patience

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
PIECE = b"a" * 10_000


@asynccontextmanager
async def served(**values: Any) -> AsyncIterator[int]:
    """The service as `artesian serve` serves it; the value is its port."""
    given = settings(**values)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configuration(given, create_app(given)))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def answer_to(port: int, *pieces: bytes) -> bytes:
    """Send pieces one after the other until the service hangs up or has answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with patience():
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await loop_turns(1)
            return await reader.readline()
    except ConnectionResetError:
        return b"hung up"
    finally:
        writer.close()


ENDLESS = {
    "an address": (b"GET /healthz?", *[PIECE] * 20),
    "a path": (b"GET /", *[PIECE] * 20),
    "a header": (HEAD + b"X-Long: ", *[PIECE] * 20),
    "a header's name": (HEAD, *[PIECE] * 20),
    "headers": (HEAD, *[b"X-More: " + PIECE[:1000] + b"\r\n"] * 200),
}


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=ENDLESS)
async def test_a_head_without_end_is_not_waited_for(pieces: tuple[bytes, ...]) -> None:
    async with served() as port:
        answer = await answer_to(port, *pieces)
        after = await answer_to(port, HEAD + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b"hung up" or b" 400 " in answer
    assert after.startswith(b"HTTP/1.1 200 ")


async def test_a_head_that_comes_at_once_is_told_that_it_is_too_large() -> None:
    async with served() as port:
        answer = await answer_to(port, HEAD + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n")
        at_most = await answer_to(port, HEAD + b"X-Long: " + b"a" * 65_000 + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert at_most.startswith(b"HTTP/1.1 200 ")


async def test_a_long_prompt_may_stand_in_an_address() -> None:
    head = b"GET /api/generate?stream=false&prompt=%b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % (b"a" * 60_000)
    async with served() as port:
        answer = await answer_to(port, head)

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_body_is_no_part_of_the_head() -> None:
    body = b'{"prompt":"%b"}' % (b"a" * 300_000)
    head = b"POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    asked = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with served() as port:
        answers = [await answer_to(port, asked, HEAD[:10], HEAD[10:] + b"\r\n"), await answer_to(port, asked + asked)]

    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)


async def test_what_is_no_http_is_refused_and_not_repeated() -> None:
    async with served() as port:
        answer = await answer_to(port, b"SECRET\x00\xff /?prompt=secret\r\n\r\n")

    assert answer == b"HTTP/1.1 400 Bad Request\r\n"
