"""A server that answers each connection with given bytes, which a real service would not send."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

STREAM_ID = "ab" * 16
HEAD = (
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    f"x-stream-id: {STREAM_ID}\r\nconnection: close\r\n\r\n"
).encode()


def event(number: int, data: str, name: str = "") -> bytes:
    """Encode an event of the stream as the service does."""
    named = f"event: {name}\n" if name else ""
    return f"id: {STREAM_ID}-{number}\n{named}data: {data}\n\n".encode()


START = event(1, f'{{"stream_id":"{STREAM_ID}","model_id":"m","api":"converse","backend":"local"}}', "start")
RECONNECT = b"retry: 250\nevent: reconnect\ndata: {}\n\n"


def text(number: int, delta: str) -> bytes:
    """Encode a text delta."""
    return event(number, f'{{"text":"{delta}"}}')


def done(number: int) -> bytes:
    """Encode the last event."""
    return event(number, '{"done":true,"stop_reason":"end_turn","raw_stop_reason":null,"usage":{},"metrics":{}}')


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """Encode a response that is not a stream."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body


class Scripted:
    """The received requests, one a connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[bytes] = []


@asynccontextmanager
async def scripted(*answers: bytes | Sequence[bytes]) -> AsyncIterator[Scripted]:
    """Serve the responses, one a connection; a sequence is written item by item. Later connections get no response."""
    left = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.requests.append(await reader.readuntil(b"\r\n\r\n"))
        pieces = next(left, b"")
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    served = Scripted(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        yield served
