"""What every answer tells a browser, so that it does no harm with it."""

import httpx
import pytest

from service.streams.record import NOWHERE
from tests.harness import Service, running

PAGE = "https://app.example.com"
NOBODY = "0" * 31 + "1"

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

ANSWERS = {
    "the chat page": ("GET", "/", 200, {}),
    "a file of the chat page": ("GET", "/web/app.js", 200, {}),
    "the interface": ("GET", "/docs", 200, {}),
    "a file of the interface": ("GET", "/docs/assets/swagger-ui.css", 200, {}),
    "the document": ("GET", "/openapi.json", 200, {}),
    "alive": ("GET", "/healthz", 200, {}),
    "models": ("GET", "/v1/models", 200, {}),
    "a stream": ("GET", "/api/generate?prompt=Hi", 200, {}),
    "nothing": ("GET", "/nothing", 404, {}),
    "no stream": ("GET", f"/api/streams/{NOBODY}", 410, {}),
    "no more events": ("GET", "/api/generate", 204, {"Last-Event-ID": f"{NOWHERE}-1"}),
    "a wrong method": ("PUT", "/api/generate", 405, {}),
    "a stranger": ("GET", "/docs", 403, {"Host": "evil.example.com"}),
    "a refusal in OpenAI's words": ("GET", "/v1/responses/nothing", 404, {}),
    "a refusal in Anthropic's words": ("GET", "/v1/models/nothing", 404, {"anthropic-version": "2023-06-01"}),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("method", "path", "status", "headers"), ANSWERS.values(), ids=ANSWERS)
async def test_every_answer_is_protected(
    shared: Service, method: str, path: str, status: int, headers: dict[str, str]
) -> None:
    answer = await shared.http.request(method, path, headers=headers)

    assert answer.status_code == status
    assert_protected(answer)


@pytest.mark.parametrize("asked", ["content-type", "content-type, x-stainless-lang"])
async def test_what_a_browser_asks_beforehand_is_protected_too(asked: str) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}
    async with running(cors_origins=(PAGE,)) as service:
        answer = await service.http.options("/api/generate", headers=headers)
        read = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"Origin": PAGE})

    assert_protected(answer)
    assert_protected(read)
    assert answer.status_code == 200
    assert read.headers["access-control-allow-origin"] == PAGE  # the protection is in no listed page's way


async def test_a_bug_is_protected_too() -> None:
    async with running() as service:

        @service.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError

        answer = await service.http.get("/broken")

    assert answer.status_code == 500
    assert_protected(answer)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_page_of_another_origin_is_let_in_unless_it_is_listed(shared: Service) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    beforehand = await shared.http.options("/api/generate", headers=headers)
    at_once = await shared.http.post("/api/generate", json={"prompt": "Hi"}, headers={"Origin": PAGE})

    for answer in (beforehand, at_once):
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_said_is_nothing_for_a_cache(shared: Service) -> None:
    answers = [
        await shared.http.post("/api/generate", json={"prompt": "Hi"}),
        await shared.http.post("/api/generate", json={"prompt": ""}),
        await shared.http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]}),
        await shared.http.get("/api/conversations"),
    ]

    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


def assert_protected(answer: httpx.Response) -> None:
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
    assert "strict-transport-security" not in answer.headers  # for whoever holds the certificate
