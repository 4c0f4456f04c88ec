"""What is left of large requests once their streams have ended and their clients have left, without the collector."""

import asyncio
import base64
import gc
import json
import re
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.harness import Json, Service, running
from tests.native.gates import call_of, release
from tests.waiting import eventually

MB = 1_000_000
BODY = 4 * MB
ROUNDS = 2
LEFT = MB  # of 8 MB; what a warm process still adds is a tenth of it

Ask = Callable[["Client"], Awaitable[None]]


def picture() -> str:
    """Make an image as base64, another object each time."""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(BODY * 3 // 4)).decode()


class Client:
    """A client of few habits: an HTTP library may keep its own request in a cycle."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.port = int(service.url.rpartition(":")[2])

    async def post(
        self, path: str, body: Json, *, until: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Post, and read to the end; with `until`, read so far and break the connection off."""
        content = json.dumps(body).encode()
        headers = {"content_type": "application/json"} | {
            name.lower(): value for name, value in (headers or {}).items()
        }
        named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(content)}\r\n"
        writer.write(f"{head}{named}\r\n".encode() + content)
        answer = b""
        try:
            while not (until and until in answer) and (piece := await reader.read(65_536)):
                answer += piece
        except ConnectionResetError as reset:  # a refused body is not read to its end
            reset.__traceback__ = None  # the reader keeps the error, and its frames keep the body
        finally:
            writer.transport.abort() if until else writer.close()
        first, _, rest = answer.partition(b"\r\n")
        return int(first.split()[1]), rest


def native(**more: object) -> Json:
    """A request with an image, as the native API takes it."""
    image = {"type": "image", "media_type": "image/png", "data": picture()}
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}], **more}


def chat() -> Json:
    """The same for Chat Completions."""
    url = {"url": f"data:image/png;base64,{picture()}"}
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}], "max_tokens": 9}


def responses(**more: object) -> Json:
    """The same for Responses."""
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{picture()}"}
    return {"input": [{"role": "user", "content": [image]}], "max_output_tokens": 16, **more}


def messages() -> Json:
    """The same for Messages."""
    source = {"type": "base64", "media_type": "image/png", "data": picture()}
    return {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}], "max_tokens": 9}


async def expect(client: Client, path: str, body: Json, status: int, said: bytes = b"", **headers: str) -> None:
    """Post, and hold the answer to its status and to something that it says."""
    got, answer = await client.post(path, body, headers=headers)
    assert got == status, answer[:500]
    assert said in answer, answer[-500:]


async def cancelled(client: Client) -> None:
    """Cancel a generation by its id while it runs."""
    _, answer = await client.post(
        "/api/generate/stream", native(), until=b"\n\n", headers={"X-Artesian-Fault": "gate@1"}
    )
    stream_id = answer.partition(b'"stream_id":"')[2][:32].decode()
    (await client.service.http.delete(f"/api/streams/{stream_id}")).raise_for_status()


async def disconnected(client: Client) -> None:
    """Leave in the middle of an answer, which ends with it."""
    body = native(on_disconnect="cancel")
    await client.post("/api/generate/stream", body, until=b"\n\n", headers={"X-Artesian-Fault": "gate@1"})


async def conversation(client: Client) -> None:
    """Send a large message in a conversation."""
    made = (await client.service.http.post("/api/conversations", json={})).json()["id"]
    content = native()["messages"][0]["content"]
    await expect(client, f"/api/conversations/{made}/messages", {"content": content, "max_tokens": 9}, 200)


GENERATE, STREAM = "/api/generate", "/api/generate/stream"
CASES: dict[str, Ask] = {
    "whole": lambda client: expect(client, GENERATE, native(), 200, b'"text"'),
    "streamed": lambda client: expect(client, STREAM, native(), 200, b'"done":true'),
    "not stored": lambda client: expect(client, STREAM, native(store=False), 200, b'"done":true'),
    "with a key": lambda client: expect(client, STREAM, native(), 200, Idempotency_Key=picture()[:4] + str(id(client))),
    "chat": lambda client: expect(client, "/v1/chat/completions", chat(), 200),
    "responses": lambda client: expect(client, "/v1/responses", responses(), 200),
    "responses, not stored": lambda client: expect(client, "/v1/responses", responses(store=False, stream=True), 200),
    "messages": lambda client: expect(client, "/v1/messages", messages(), 200),
    "conversation": conversation,
    "refused by Bedrock": lambda client: expect(client, STREAM, native(), 400, X_Artesian_Fault="http=400"),
    "retried, then served": lambda client: expect(
        client, STREAM, native(), 200, b'"done":true', X_Artesian_Fault="throttle*1"
    ),
    "continued": lambda client: expect(client, STREAM, native(), 200, b'"continued"', X_Artesian_Fault="cut@1"),
    "failed in the middle": lambda client: expect(
        client, STREAM, native(on_interruption="fail"), 200, b'"error"', X_Artesian_Fault="cut@1"
    ),
    "cancelled": cancelled,
    "disconnected": disconnected,
    "unknown field": lambda client: expect(client, GENERATE, native(max_tokenz=1), 422),
    "no JSON": lambda client: expect(client, GENERATE, native(), 415, Content_Type="text/plain"),
    "too large": lambda client: expect(client, GENERATE, native(metadata={"a": "b" * MB}), 413),
    "unknown model": lambda client: expect(client, GENERATE, native(model_id="a.b"), 404, X_Artesian_Fault="eol"),
}


def _released_since(before: int) -> Callable[[], bool]:
    return lambda: tracemalloc.get_traced_memory()[0] - before < LEFT


@contextmanager
def uncollected() -> Iterator[None]:
    """Trace memory inside the block, with the collector off: what is in a cycle stays."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()
        gc.enable()


async def left_of(client: Client, cases: dict[str, Ask]) -> dict[str, int]:
    """Name the cases after which more than `LEFT` bytes stay, and how many."""
    left: dict[str, int] = {}
    with uncollected():
        for name, ask in cases.items():
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(ROUNDS):
                await ask(client)

            with suppress(TimeoutError):
                await eventually(_released_since(before))
            left[name] = tracemalloc.get_traced_memory()[0] - before
    return {name: size for name, size in left.items() if size >= LEFT}


async def test_nothing_of_a_large_request_is_left_when_its_stream_has_ended(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/a.db"  # a database in memory would hold what it is given
    limits = {"max_body": int(BODY * 1.1), "stream_memory": 2 * BODY, "resume_grace": 0}
    async with running(database_url=database, **limits) as service:
        client = Client(service)
        for warm in ("conversation", "responses", "streamed"):
            await CASES[warm](client)

        assert await left_of(client, CASES) == {}


async def test_nothing_is_left_of_the_call_that_loses_against_a_hedge() -> None:
    async with running(hedge_after=0.05) as service:
        client = Client(service)
        await CASES["streamed"](client)
        hedged = partial(expect, path=STREAM, status=200, said=b'"done":true', X_Artesian_Fault="stall@0")

        assert await left_of(client, {"hedged": lambda client: hedged(client, body=native())}) == {}
        assert len(await service.calls()) == 1 + 2 * ROUNDS


async def test_the_gauge_shows_a_request_while_it_runs() -> None:
    async with running() as service:
        client = Client(service)

        async def shown() -> float:
            text = (await service.http.get("/metrics")).text
            return float(re.findall(r"^artesian_stream_memory_bytes(?:{.*})? (\S+)$", text, re.MULTILINE)[0])

        async def counted() -> bool:
            return await shown() > BODY

        async def released() -> bool:
            return await shown() < BODY / 100

        held = expect(client, STREAM, native(), 200, b'"done":true', X_Artesian_Fault="gate@1")
        asking = asyncio.ensure_future(held)
        await eventually(counted)
        await call_of(service, state="waiting")
        await release(service)
        await asking
        await eventually(released)
