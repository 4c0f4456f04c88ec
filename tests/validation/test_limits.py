"""How large a request may be, and what kind of body it has."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.harness import running
from tests.waiting import patience

LIMIT = 10_000
JSON = {"Content-Type": "application/json"}


def body_of(size: int) -> bytes:
    shell = b'{"prompt":"%b"}'
    return shell % (b"x" * (size - len(shell) + 2))


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 1000):
        yield body[at : at + 1000]


@pytest.mark.parametrize("path", ["/api/generate", "/api/generate/stream"])
async def test_a_body_over_the_limit_is_refused_whether_it_says_its_length_or_not(path: str) -> None:
    async with running(max_body=LIMIT) as service:
        told = await service.http.post(path, content=body_of(LIMIT + 1), headers=JSON)
        chunked = await service.http.post(path, content=in_chunks(body_of(LIMIT + 1)), headers=JSON)
        calls = await service.calls()

    for response in (told, chunked):
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "too_large"
    assert calls == []


async def test_a_body_at_the_limit_is_taken() -> None:
    async with running(max_body=LIMIT) as service:
        told = await service.http.post("/api/generate", content=body_of(LIMIT), headers=JSON)
        chunked = await service.http.post("/api/generate", content=in_chunks(body_of(LIMIT)), headers=JSON)

    assert (told.status_code, chunked.status_code) == (200, 200)


async def test_a_body_that_claims_to_be_huge_is_refused_before_it_is_sent() -> None:
    async with running(max_body=LIMIT) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
        head = "POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 10000000000\r\n\r\n".encode())
        async with patience():
            status = await reader.readline()
        writer.close()

    assert b" 413 " in status


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "application/jsonx"]
)
async def test_a_body_that_is_not_said_to_be_json_is_refused(kind: str) -> None:
    """Such a body any web page may send without asking first."""
    async with running() as service:
        response = await service.http.post("/api/generate", content=b'{"prompt":"Hi"}', headers={"Content-Type": kind})
        unsaid = await service.http.post("/api/generate", content=b'{"prompt":"Hi"}')
        calls = await service.calls()

    for refusal in (response, unsaid):
        assert refusal.status_code == 415
        assert refusal.json()["code"] == "unsupported_media_type"
    assert calls == []


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_by_any_of_its_names_is_taken(kind: str) -> None:
    async with running() as service:
        response = await service.http.post("/api/generate", content=b'{"prompt":"Hi"}', headers={"Content-Type": kind})

    assert response.status_code == 200


@pytest.mark.filterwarnings("ignore:Sending a large body directly")  # aiohttp, of any megabyte sent as bytes
async def test_an_image_of_some_megabytes_is_taken() -> None:
    async with running() as service:
        picture = {"type": "image", "media_type": "image/png", "data": PIXEL + "A" * 4_000_000}
        question = {"role": "user", "content": [picture, {"type": "text", "text": "What is this?"}]}
        response = await service.http.post("/api/generate", json={"messages": [question]}, timeout=httpx.Timeout(30))

    assert response.status_code == 200, response.text


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
