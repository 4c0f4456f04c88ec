"""What a large request holds in memory while its generation runs: at most four times its body."""

import asyncio
import base64
import gc
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.failover.processes import SETTINGS, Bedrock, started
from tests.harness import CLAUDE, Json, Service, running
from tests.waiting import eventually

IMAGE = 1_200_000  # characters of base64
PIECE = b"A" * 60_000
PLACE = "@@"
KEY = base64.b64encode(b"k" * 32).decode()


def image_url() -> Json:
    return {"url": f"data:image/png;base64,{PLACE}"}


BODIES: dict[str, Json] = {
    "/api/generate/stream": {
        "messages": [
            {"role": "user", "content": [{"type": "image", "media_type": "image/png", "data": PLACE}]},
        ]
    },
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": image_url()}]}],
        "stream": True,
    },
    "/v1/responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_image", "image_url": image_url()["url"]}]},
        ],
        "stream": True,
    },
    "/v1/messages": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PLACE}},
                ],
            }
        ],
        "max_tokens": 9,
        "stream": True,
    },
}


def body_of(request: Json) -> tuple[int, Iterator[bytes]]:
    """The length of a body, and its pieces, which are made one at a time: the client holds none of it."""
    head, _, tail = json.dumps(request | {"model": CLAUDE} if "stream" in request else request).partition(PLACE)
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\x00" * 10)

    def pieces() -> Iterator[bytes]:
        yield head.encode() + png
        for _ in range(IMAGE // len(PIECE)):
            yield PIECE
        yield tail.encode()

    return len(head) + len(png) + IMAGE + len(tail), pieces()


@asynccontextmanager
async def generating(service: Service, path: str, bedrock: Bedrock) -> AsyncIterator[int]:
    """Hold the generation of a large request inside the block; the value is the length of its body."""
    length, pieces = body_of(BODIES[path])
    calls = len(await bedrock.all_calls())
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}X-Artesian-Fault: gate@1\r\nContent-Length: {length}\r\n\r\n".encode())
    for piece in pieces:
        writer.write(piece)
        await writer.drain()

    async def waiting() -> Json | None:
        latest = (await bedrock.all_calls())[calls:]
        return latest[0] if latest and latest[0]["state"] == "waiting" else None

    call: Json = await eventually(waiting, every_s=0.05)
    yield length
    await bedrock.release(call)
    assert b"200 OK" in await reader.read()
    writer.close()


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Bedrock]:
    """A local Bedrock in a process of its own: what it holds is not the service's."""
    process = Bedrock()
    with started(process):
        asyncio.run(process.ready())
        yield process


@pytest.mark.parametrize("journal", ["memory://", "sqlite:///{}/streams.db"])
async def test_a_running_generation_holds_at_most_four_times_its_body(
    journal: str, bedrock: Bedrock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    kept: Json = {"journal_url": journal.format(tmp_path), "bedrock_endpoint_url": bedrock.url}
    kept |= {"database_url": f"sqlite+aiosqlite:///{tmp_path}/a.db", "encryption_key": KEY}
    held: dict[str, float] = {}
    async with running(**SETTINGS | kept) as service:
        for path in BODIES:
            async with generating(service, path, bedrock):
                pass  # what the first request of a kind loads stays
        for path in BODIES:
            gc.collect()
            tracemalloc.start()
            try:
                async with generating(service, path, bedrock) as length:
                    gc.collect()
                    held[path] = tracemalloc.get_traced_memory()[0] / length
            finally:
                tracemalloc.stop()

    assert {path: times for path, times in held.items() if not 0.5 < times < 4} == {}, held
