"""The upstream where nothing compiles C: `python -m bench.plain_upstream PORT`. Costs more than `upstream.c`.

As there, the model's id says how many deltas come (`-n`) and how far apart in milliseconds (`-i`), and each delta's
text is the time it was written.
"""

import asyncio
import base64
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

from service.bedrock.eventstream import encode_event

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
    b"X-Amzn-Bedrock-Content-Type: application/json\r\nx-amzn-RequestId: bench\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_METRICS = {"inputTokenCount": 9, "outputTokenCount": 200, "invocationLatency": 1, "firstByteLatency": 1}
_USAGE = {"inputTokens": 9, "outputTokens": 200, "totalTokens": 209}


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(name: str, converse: Any, chunk: Any, *, is_converse: bool) -> bytes:
    if is_converse:
        return encode_event(name, _dumps(converse))
    said = base64.b64encode(_dumps(chunk)).decode()
    return encode_event("chunk", _dumps({"bytes": said, "p": "abcdefgh"}))


def _begin(*, is_converse: bool) -> bytes:
    usage = {"input_tokens": 9, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    opened = {"type": "message_start", "message": message}
    return _event("messageStart", {"role": "assistant", "p": "abc"}, opened, is_converse=is_converse)


def _delta(*, is_converse: bool) -> bytes:
    text = f"{time.monotonic_ns():019d}"
    chunk = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    said = {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abcdefghijkl"}
    return _event("contentBlockDelta", said, chunk, is_converse=is_converse)


def _end(*, is_converse: bool) -> Iterator[bytes]:
    stopped = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}}
    over = {"type": "message_stop", "amazon-bedrock-invocationMetrics": _METRICS}
    closed = {"type": "content_block_stop", "index": 0}
    yield _event("contentBlockStop", {"contentBlockIndex": 0}, closed, is_converse=is_converse)
    yield _event("messageStop", {"stopReason": "end_turn"}, stopped, is_converse=is_converse)
    yield _event("metadata", {"metrics": {"latencyMs": 1}, "usage": _USAGE}, over, is_converse=is_converse)


def _chunked(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request after the other on a connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            line = head.partition(b"\r\n")[0]
            is_converse = b"converse-stream" in line
            deltas, interval_ms = (
                int(found[1]) if (found := re.search(key, line)) else 0 for key in (rb"-n(\d+)", rb"-i(\d+)")
            )
            writer.write(_HEAD + _chunked(_begin(is_converse=is_converse)))
            await _deltas(writer, deltas, interval_ms / 1000, is_converse=is_converse)
            writer.write(_chunked(b"".join(_end(is_converse=is_converse))) + b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()  # the client has left


async def _deltas(writer: asyncio.StreamWriter, deltas: int, interval_s: float, *, is_converse: bool) -> None:
    if not interval_s:
        writer.write(_chunked(b"".join(_delta(is_converse=is_converse) for _ in range(deltas))))
        return
    due = time.monotonic()
    for _ in range(deltas):
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        writer.write(_chunked(_delta(is_converse=is_converse)))
        due += interval_s


async def _serve(port: int) -> None:
    async with await asyncio.start_server(_answer, "127.0.0.1", port, backlog=4096) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
