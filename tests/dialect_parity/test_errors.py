"""Failures, as the clients' own classes: before the stream by their status, in it by an event."""

import re
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any, NamedTuple

import anthropic
import openai
import pytest

from tests.dialect_parity import asks, sdks
from tests.dialect_parity.sdks import with_fault
from tests.harness import Json, Service, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Failure(NamedTuple):
    fault: str
    status: int
    openai: type[openai.APIStatusError]
    anthropic: type[anthropic.APIStatusError]
    kind: str


FAULTS = [
    Failure(
        "http=ValidationException", 400, openai.BadRequestError, anthropic.BadRequestError, "invalid_request_error"
    ),
    Failure(
        "http=AccessDeniedException",
        403,
        openai.PermissionDeniedError,
        anthropic.PermissionDeniedError,
        "permission_error",
    ),
    Failure("eol", 404, openai.NotFoundError, anthropic.NotFoundError, "not_found_error"),
    Failure("throttle*", 429, openai.RateLimitError, anthropic.RateLimitError, "rate_limit_error"),
    Failure(
        "http=ServiceQuotaExceededException",
        429,
        openai.RateLimitError,
        anthropic.RateLimitError,
        "rate_limit_error",
    ),
    Failure("http=ModelErrorException*", 502, openai.InternalServerError, anthropic.InternalServerError, "api_error"),
    Failure(
        "http=ModelErrorException+status=400",
        502,
        openai.InternalServerError,
        anthropic.InternalServerError,
        "api_error",
    ),
    Failure("http=503*", 503, openai.InternalServerError, anthropic.OverloadedError, "overloaded_error"),
    Failure("timeout*", 504, openai.InternalServerError, anthropic.DeadlineExceededError, "timeout_error"),
]

OPENAI_TYPES = {
    400: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}


async def chat(service: Service, asked: Json) -> Any:
    async with sdks.openai(service) as client:
        return await client.chat.completions.create(**asked)


async def responses(service: Service, asked: Json) -> Any:
    async with sdks.openai(service) as client:
        return await client.responses.create(**asked)


async def messages(service: Service, asked: Json) -> Any:
    async with sdks.anthropic(service) as client:
        return await client.messages.create(**asked)


ASK: dict[str, Callable[[Service, Json], Awaitable[Any]]] = {
    "chat": chat,
    "responses": responses,
    "messages": messages,
}


@pytest.mark.parametrize("failure", FAULTS, ids=lambda failure: failure.fault)
@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize("surface", ["chat", "responses"])
async def test_openais_clients_raise_the_right_class(quick: Service, surface: str, way: str, failure: Failure) -> None:
    asked = getattr(asks, surface)("Hi") | {"stream": way == "streamed"}

    with pytest.raises(failure.openai) as caught:
        await ASK[surface](quick, with_fault(asked, failure.fault))

    error = caught.value
    assert error.status_code == failure.status
    assert error.type == OPENAI_TYPES.get(failure.status, "server_error")
    assert error.request_id == error.response.headers["x-request-id"]
    assert isinstance(error.code, str)
    assert error.response.headers["x-should-retry"] == "false"  # it cannot help, or we have tried again already


@pytest.mark.parametrize("failure", FAULTS, ids=lambda failure: failure.fault)
@pytest.mark.parametrize("way", ["whole", "streamed"])
async def test_anthropics_clients_raise_the_right_class(quick: Service, way: str, failure: Failure) -> None:
    asked = asks.messages("Hi", stream=way == "streamed")

    with pytest.raises(failure.anthropic) as caught:
        await messages(quick, with_fault(asked, failure.fault))

    error = caught.value
    assert error.status_code == {503: 529}.get(failure.status, failure.status)
    assert error.type == failure.kind
    assert error.request_id == error.response.headers["request-id"]
    assert error.body["request_id"] == error.request_id  # type: ignore[index]  # it is a JSON object
    assert error.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("surface", ASK)
async def test_an_unknown_model_is_not_found_and_its_neighbours_are_named(quick: Service, surface: str) -> None:
    asked = getattr(asks, surface)("Hi") | {"model": "claude-haiku-4-5"}
    raised: Any = anthropic.NotFoundError if surface == "messages" else openai.NotFoundError

    with pytest.raises(raised, match=re.escape("anthropic.claude-haiku-4-5-20251001-v1:0")):
        await ASK[surface](quick, asked)


@pytest.mark.parametrize("ours", [0, 1])
async def test_nobody_tries_again_what_another_has_tried_again(ours: int) -> None:
    """The client has one retry, and takes it only where the service had none."""
    async with running(max_retries=ours, retry_budget=1) as service, sdks.openai(service, max_retries=1) as client:
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(**with_fault(asks.chat("Hi"), "http=503*"))

        assert len(await service.calls()) == 2


async def collect(stream: AsyncIterable[Any], seen: list[Any]) -> None:
    """Read a stream that will raise."""
    async for one in stream:
        seen.append(one)  # noqa: PERF401 - a comprehension would lose what came before


async def test_a_failure_in_mid_stream_is_raised_by_a_chat(quick: Service) -> None:
    chunks: list[Any] = []
    asked: Any = with_fault(asks.chat("Tell me about wells.", stream=True), "cut@4*")
    async with sdks.openai(quick) as client:
        stream: Any = await client.chat.completions.create(**asked)
        with pytest.raises(openai.APIError, match="broke off") as caught:
            await collect(stream, chunks)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert caught.value.code == "upstream_truncated"


async def test_a_failure_in_mid_stream_is_the_last_event_of_a_response(quick: Service) -> None:
    asked: Any = with_fault(asks.responses("Tell me about wells.", stream=True), "cut@4*")
    async with sdks.openai(quick) as client:
        stream: Any = await client.responses.create(**asked)
        last = [event async for event in stream][-1]

    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert last.response.output[0].status == "incomplete"
    assert "broke off" in last.response.error.message


async def test_a_failure_in_mid_stream_reaches_anthropics_clients(quick: Service) -> None:
    text: list[str] = []
    asked = with_fault(asks.messages("Tell me about wells."), "cut@4*")
    async with sdks.anthropic(quick) as client, client.messages.stream(**asked) as stream:
        with pytest.raises(anthropic.APIStatusError, match="broke off"):
            await collect(stream.text_stream, text)

    assert "".join(text)


WRONG = {
    "chat": [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "Hi"}], "n": 2}, "n"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]},
         "messages.0.content.0.image_url"),
    ],
    "responses": [({"input": []}, "messages"), ({"input": "Hi", "conversation": "conv_1"}, "conversation")],
}  # fmt: skip


@pytest.mark.parametrize(("surface", "body", "param"), [(name, *row) for name, rows in WRONG.items() for row in rows])
async def test_a_wrong_request_names_its_field(quick: Service, surface: str, body: Json, param: str) -> None:
    path = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}[surface]
    response = await quick.http.post(path, json=body)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["param"] == param


PATHS = ["/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/responses", "/v1/no/such/place"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b'{"a": "\\ud800"}', "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"\xff", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": [1]}, 400),
        ({"json": {}, "headers": {"X-On-Disconnect": "panic"}}, 400),
        ({"json": {}, "headers": {"Idempotency-Key": "with space"}}, 400),
        ({"content": b"Hi", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {}, "headers": {"Origin": "https://elsewhere.example"}}, 403),
        ({"json": {"metadata": {"long": "x" * 2000}}}, 413),
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_refusals_at_the_door_are_told_in_the_clients_shape(
    quick: Service, path: str, sent: Json, status: int
) -> None:
    response = await quick.http.post(path, **sent)

    if path.startswith("/v1/no"):
        status = status if status in {403, 413, 415} else 404
    assert response.status_code == status
    in_clients_shape(path, response.json(), response.headers)


@pytest.mark.parametrize("path", PATHS)
async def test_another_method_is_told_in_the_clients_shape(quick: Service, path: str) -> None:
    response = await quick.http.put(path, json={})

    assert response.status_code == (404 if path.startswith("/v1/no") else 405)
    in_clients_shape(path, response.json(), response.headers)


def in_clients_shape(path: str, body: Json, headers: Any) -> None:
    if path.startswith("/v1/messages"):
        assert body["type"] == "error"
        assert set(body["error"]) == {"type", "message"}
        assert body["request_id"] == headers["request-id"] == headers["x-request-id"]
    else:
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
