"""What a request may hold, on every surface: refusals name the field in the surface's own shape, and nothing breaks."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from service.answer import Answer
from service.bedrock.rules.attachments import DOCUMENT_BYTES, DOCUMENTS, IMAGE_BYTES, IMAGES
from service.deltas import ToolCallDelta, ToolCallStart
from service.dialects.bounds import BLOCKS, MESSAGES, TOOLS
from tests.harness import CLAUDE, Json, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEADERS = {"Content-Type": "application/json"}
PNG, JPEG, GIF, WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x04\0\0\0WEBP"
KINDS = {"image/png": PNG, "image/jpeg": JPEG, "image/gif": GIF, "image/webp": WEBP}
SURFACES = ("/api/generate", "/v1/chat/completions", "/v1/responses", "/v1/messages")
surfaces = pytest.mark.parametrize("path", SURFACES)


def picture(path: str, media_type: str, content: bytes) -> Json:
    """An image as a surface has it."""
    encoded = base64.b64encode(content).decode()
    url = f"data:{media_type};base64,{encoded}"
    shapes: dict[str, Json] = {
        "/api/generate": {"type": "image", "media_type": media_type, "data": encoded},
        "/v1/chat/completions": {"type": "image_url", "image_url": {"url": url}},
        "/v1/responses": {"type": "input_image", "image_url": url},
        "/v1/messages": {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}},
    }
    return shapes[path]


def paper(path: str, content: bytes, number: int) -> Json:
    """A document as a surface has it."""
    encoded, name = base64.b64encode(content).decode(), f"Paper {number}"
    url = f"data:text/plain;base64,{encoded}"
    shapes: dict[str, Json] = {
        "/api/generate": {"type": "document", "media_type": "text/plain", "data": encoded, "name": name},
        "/v1/chat/completions": {"type": "file", "file": {"filename": f"{name}.txt", "file_data": url}},
        "/v1/responses": {"type": "input_file", "filename": f"{name}.txt", "file_data": url},
        "/v1/messages": {
            "type": "document",
            "title": name,
            "source": {"type": "base64", "media_type": "text/plain", "data": encoded},
        },
    }
    return shapes[path]


def text(path: str) -> Json:
    return {"type": "input_text" if path == "/v1/responses" else "text", "text": "What is this?"}


def question(path: str, *parts: Json) -> Json:
    """A request with one message of these parts."""
    turns = [{"role": "user", "content": [*parts, text(path)]}]
    if path == "/v1/responses":
        return {"input": turns}
    return {"messages": turns} | ({"max_tokens": 100} if path == "/v1/messages" else {})


async def post(service: Service, path: str, body: Any) -> httpx.Response:
    return await service.http.post(path, content=json.dumps(body).encode(), headers=HEADERS, timeout=30)


def refused(path: str, answer: httpx.Response, *fields: str) -> str:
    """Check a refusal's status and shape, and that it names one of the fields; the value is its sentence."""
    body = answer.json()
    assert answer.status_code == (422 if path.startswith("/api/") else 400), body
    if path == "/v1/messages":
        assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
        sentence = body["error"]["message"]
    elif path.startswith("/v1/"):
        assert body["error"]["type"] == "invalid_request_error"
        assert any(str(body["error"]["param"]).startswith(field) for field in fields), body
        sentence = body["error"]["message"]
    else:
        assert any(body["errors"][0]["field"].startswith(field) for field in fields), body
        sentence = body["error"]
    assert any(field in sentence for field in fields), sentence
    return str(sentence)


@surfaces
@pytest.mark.parametrize("media_type", KINDS)
async def test_an_image_of_each_kind_is_taken(shared: Service, path: str, media_type: str) -> None:
    answer = await post(shared, path, question(path, picture(path, media_type, KINDS[media_type] + b"x" * 100)))

    assert answer.status_code == 200, answer.text


@surfaces
@pytest.mark.parametrize(
    "content", [b"not an image", b"<svg onload='x'/>", b"%PDF-1.7", b"BM" + b"x" * 60, b"RIFF1234WAVE"]
)
async def test_what_is_no_image_is_none_whatever_it_is_called(shared: Service, path: str, content: bytes) -> None:
    before = len(await shared.calls())
    answer = await post(shared, path, question(path, picture(path, "image/png", content)))

    assert "PNG, JPEG, GIF and WebP" in refused(path, answer, "messages.0.content.0", "input.0.content.0")
    assert len(await shared.calls()) == before


@pytest.mark.parametrize("path", ["/api/generate", "/v1/messages"])
async def test_an_image_under_another_name_is_told_its_own(shared: Service, path: str) -> None:
    answer = await post(shared, path, question(path, picture(path, "image/png", JPEG)))

    assert "is image/jpeg, and media_type must say so" in refused(path, answer, "messages.0.content.0")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_openais_clients_call_every_image_what_they_like(shared: Service, path: str) -> None:
    answer = await post(shared, path, question(path, picture(path, "image/png", JPEG + b"x" * 100)))

    assert answer.status_code == 200, answer.text


@surfaces
async def test_images_have_a_largest_size_and_a_number(shared: Service, path: str) -> None:
    small, large = picture(path, "image/png", PNG), picture(path, "image/png", PNG + b"x" * IMAGE_BYTES)
    too_large = await post(shared, path, question(path, large))
    too_many = await post(shared, path, question(path, *[small] * (IMAGES + 1)))
    as_many = await post(shared, path, question(path, *[small] * IMAGES))

    assert "images of at most 3.75 MB" in refused(path, too_large, "messages.0.content.0")
    assert "at most 20 images" in refused(path, too_many, "messages.0.content.20")
    assert as_many.status_code == 200, as_many.text


@surfaces
async def test_documents_have_a_largest_size_and_a_number(shared: Service, path: str) -> None:
    too_large = await post(shared, path, question(path, paper(path, b"x" * (DOCUMENT_BYTES + 1), 1)))
    too_many = await post(shared, path, question(path, *(paper(path, b"x", n) for n in range(DOCUMENTS + 1))))

    assert "documents of at most 4.5 MB" in refused(path, too_large, "messages.0.content.0")
    assert "at most 5 documents" in refused(path, too_many, "messages.0.content.5")


async def test_a_document_of_an_unknown_kind_is_refused(shared: Service) -> None:
    body = question("/api/generate", {"type": "document", "media_type": "application/zip", "data": "YQ=="})

    assert "pdf, csv, doc" in refused(
        "/api/generate", await post(shared, "/api/generate", body), "messages.0.content.0"
    )


@asynccontextmanager
async def trap() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that notes who comes, as one inside a network might be."""
    came: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/latest/meta-data/", came


async def test_no_address_that_a_caller_names_is_visited(shared: Service) -> None:
    async with trap() as (url, came):
        asked: dict[str, list[Json]] = {
            "/v1/chat/completions": [
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": url}},
            ],
            "/v1/responses": [
                {"type": "input_image", "image_url": url},
                {"type": "input_file", "file_url": url},
                {"type": "input_file", "filename": "a.txt", "file_url": url},
            ],
            "/v1/messages": [
                {"type": "image", "source": {"type": "url", "url": url}},
                {"type": "document", "source": {"type": "url", "url": url}},
            ],
        }
        for path, parts in asked.items():
            for part in parts:
                sentence = refused(path, await post(shared, path, question(path, part)), "messages.0.", "input.0.")
                assert "nothing is fetched from elsewhere" in sentence
        native = [{"type": "image", "url": url}, {"type": "image", "media_type": "image/png", "data": url}]
        for part in native:
            refused("/api/generate", await post(shared, "/api/generate", question("/api/generate", part)), "messages.0")

    assert came == []


DEEP = "[" * 2_000 + "]" * 2_000
DEEPER = "[" * 200_000 + "]" * 200_000


@pytest.mark.parametrize("depth", [DEEP, DEEPER], ids=["deep", "deeper"])
@pytest.mark.parametrize("path", [*SURFACES, "/api/generate/stream", "/v1/messages/count_tokens", "/api/conversations"])
async def test_endless_nesting_is_refused_wherever_it_stands(shared: Service, path: str, depth: str) -> None:
    tool = f'{{"name":"a","type":"function","input_schema":{{"a":{depth}}},"parameters":{{"a":{depth}}}}}'
    bodies = [
        depth,
        f'{{"metadata":{depth}}}',
        f'{{"prompt":"Hi","extra":{{"a":{depth}}}}}',
        f'{{"messages":{depth},"input":{depth}}}',
        f'{{"messages":[{{"role":"user","content":{depth}}}],"input":"x","max_tokens":5}}',
        f'{{"messages":[{{"role":"user","content":"x"}}],"input":"x","max_tokens":5,"tools":[{tool}]}}',
        f'{{"messages":[{{"role":"user","content":"x"}}],"input":"x","max_tokens":5,"nobody":{depth}}}',
        f'{{"title":{depth}}}',
    ]
    for body in bodies:
        for more in ({}, {"Idempotency-Key": "k"}):
            answer = await shared.http.post(path, content=body.encode(), headers=HEADERS | more)
            assert answer.status_code in {400, 422}, (body[:80], answer.text)


async def test_arguments_without_end_are_handed_back_as_they_were(shared: Service) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "a", "arguments": f'{{"a":{DEEP}}}'}}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": DEEP},
    ]
    tools = [{"type": "function", "function": {"name": "a"}}]
    for model in (CLAUDE, "cohere.command-r-plus-v1:0"):
        answer = await post(shared, "/v1/chat/completions", {"model": model, "messages": turns, "tools": tools})
        assert answer.status_code == 200, answer.text


async def test_a_model_that_nests_its_arguments_without_end_has_said_a_text() -> None:
    answer = Answer([ToolCallStart(0, "c", "a"), ToolCallDelta(0, f'{{"a":{DEEP}}}')])

    (block,) = answer.content
    assert block["input"] == {}
    assert block["input_text"].endswith("]}")
    json.dumps(answer.content)


@surfaces
async def test_there_are_bounds_on_numbers(shared: Service, path: str) -> None:
    turn = {"role": "user", "content": "x"}
    member = "input" if path == "/v1/responses" else "messages"
    more: Json = {"max_tokens": 5} if path == "/v1/messages" else {}
    tools = [{"name": f"t{n}", "type": "function", "function": {"name": f"t{n}"}} for n in range(TOOLS + 1)]
    crowded = [{"role": "user", "content": [text(path)] * (BLOCKS + 1)}]
    cases: list[tuple[Json, str, str]] = [
        ({member: [turn] * (MESSAGES + 1)}, member, "10,000"),
        ({member: crowded}, member, "1,000"),
        ({member: [turn], "tools": tools}, "tools", "512"),
        ({member: [turn], "metadata": {"a": [1] * 1_000_010}}, "metadata", "1,000,000"),
    ]
    for body, field, number in cases:
        assert number in refused(path, await post(shared, path, body | more), field)


@surfaces
async def test_a_refusal_is_small_however_much_is_wrong(shared: Service, path: str) -> None:
    wrong = {"role": "user", "content": [{"type": "text", "x" * 300: 1}] * 100}
    bodies = [
        {"messages": [wrong] * 100, "input": [wrong] * 100, "max_tokens": 5},
        {f"a{n}" * 100: 1 for n in range(10_000)},
        {"prompt": "Hi", "y" * 1_000_000: 1, "messages": 1, "input": 1},
    ]
    for body in bodies:
        answer = await post(shared, path, body)
        assert answer.is_client_error
        assert len(answer.content) < 200_000


async def test_what_nobody_knows_is_named_shortly_in_the_streams_state(shared: Service) -> None:
    unknown = {f"unknown{n}" + "x" * 1000: 1 for n in range(1000)}
    body = question("/v1/chat/completions") | unknown
    answer = await post(shared, "/v1/chat/completions", body)
    state = await shared.state(answer.headers["x-stream-id"])

    assert answer.status_code == 200
    assert len(state["dropped"]) == 128
    assert max(map(len, state["dropped"])) == 128
