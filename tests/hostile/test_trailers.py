"""What comes after a body: trailers, chunk extensions and pipelined requests without end are not kept."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.access.holders import add_key
from tests.hostile.test_heads import HEAD, PIECE, answer_to, served

POST = b"POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
ASKED = b'{"prompt":"Hi"}'
CHUNK = b"%x\r\n%b\r\n" % (len(ASKED), ASKED)
TRAILERS = (b"X-More: " + PIECE[:1000] + b"\r\n") * 10
MOST_SENT = 8_000_000  # bytes: the bound of 64 KB, and what the sockets of both sides buffer
ENOUGH = 60_000_000

ENDLESS = {
    "trailers": (CHUNK + b"0\r\n", TRAILERS),
    "trailers without a body": (b"0\r\n", TRAILERS),
    "one trailer": (CHUNK + b"0\r\nX-Long: ", PIECE),
    "the name of a trailer": (CHUNK + b"0\r\n", PIECE),
    "an extension of a chunk": (CHUNK + b"5;", PIECE),
}


async def taken(port: int, head: bytes, piece: bytes) -> tuple[int, bytes]:
    """Send pieces until the service hangs up; the values are the bytes that it took, and what it answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent, answer = 0, b""

    async def listen() -> None:
        nonlocal answer
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(65_536):
                answer += part

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen())
        with contextlib.suppress(ConnectionError):
            writer.write(head)
            while sent < ENOUGH and not listening.done():
                writer.write(piece)
                sent += len(piece)
                await writer.drain()
        writer.close()
    return sent, answer


@pytest.mark.parametrize(("begun", "piece"), ENDLESS.values(), ids=ENDLESS)
async def test_what_follows_a_chunk_without_end_closes_the_connection(begun: bytes, piece: bytes) -> None:
    async with served() as port:
        sent, answer = await taken(port, CHUNKED + begun, piece)
        after = await answer_to(port, HEAD + b"\r\n")

    assert sent < MOST_SENT
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert after.startswith(b"HTTP/1.1 200 ")


async def test_trailers_behind_a_401_close_the_connection_and_are_not_answered_twice(tmp_path: Path) -> None:
    add_key(tmp_path / "keys.json", "ann")
    async with served(api_keys_file=str(tmp_path / "keys.json")) as port:
        sent, answer = await taken(port, CHUNKED + b"0\r\n", TRAILERS)

    assert sent < MOST_SENT
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b" 431 " not in answer or b" 401 " not in answer


async def test_trailers_within_the_bound_are_passed_over() -> None:
    async with served() as port:
        answer = await answer_to(port, CHUNKED + CHUNK + b"0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_body_of_small_chunks_is_taken_however_many_there_are() -> None:
    body = b'{"prompt":"' + b"a" * 100_000 + b'"}'
    chunks = [b"1\r\n%c\r\n" % character for character in body]
    pieces = [b"".join(chunks[n : n + 5_000]) for n in range(0, len(chunks), 5_000)]
    async with served() as port:
        answer = await answer_to(port, CHUNKED, *pieces, b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_without_end_close_the_connection() -> None:
    async with served() as port:
        sent, _ = await taken(port, b"", (HEAD + b"\r\n") * 1000)

    assert sent < MOST_SENT
