"""Bad requests: each is refused with a sentence that names the field, and none gets as far as Bedrock."""

import json
from typing import Any

import httpx
import pytest

from tests.harness import Json, Service
from tests.native.test_events import WEATHER

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "the quick brown fox"
PIXEL = "iVBORw0KGgo="


def user(content: Any) -> Json:
    return {"messages": [{"role": "user", "content": content}]}


WRONG: dict[str, tuple[Any, str]] = {
    "no prompt": ({}, "prompt"),
    "an empty prompt": ({"prompt": ""}, "prompt"),
    "a blank prompt": ({"prompt": " \n"}, "prompt"),
    "a prompt that is a number": ({"prompt": 5}, "prompt"),
    "a prompt that is null": ({"prompt": None}, "prompt"),
    "both prompt and messages": ({"prompt": "Hi"} | user("Hi"), "prompt"),
    "no messages": ({"messages": []}, "messages"),
    "messages that are none": ({"messages": "Hi"}, "messages"),
    "an empty message": (user(""), "messages.0.content"),
    "a message of no blocks": (user([]), "messages.0.content"),
    "a message without content": ({"messages": [{"role": "user"}]}, "messages.0.content"),
    "a message by nobody": ({"messages": [{"content": "Hi"}]}, "messages.0.role"),
    "a message by the system": ({"messages": [{"role": "system", "content": "Hi"}]}, "messages.0.role"),
    "a message with something more": ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "messages.0.name"),
    "the second message": ({"messages": [{"role": "user", "content": "x"}, {"role": "bot"}]}, "messages.1.role"),
    "a block of no type": (user([{"text": "Hi"}]), "messages.0.content.0"),
    "a block of an unknown type": (user([{"type": "video"}]), "messages.0.content.0"),
    "an empty text": (user([{"type": "text", "text": ""}]), "messages.0.content.0.text"),
    "a text that is none": (user([{"type": "text", "text": 5}]), "messages.0.content.0.text"),
    "an image that is none": (
        user([{"type": "image", "media_type": "image/png", "data": "not base64!"}]),
        "messages.0.content.0.data",
    ),
    "an image of an unknown kind": (
        user([{"type": "image", "media_type": "image/tiff", "data": PIXEL}]),
        "messages.0.content.0.media_type",
    ),
    "a document without data": (
        user([{"type": "document", "media_type": "application/pdf"}]),
        "messages.0.content.0.data",
    ),
    "a call without a name": (user([{"type": "tool_use", "id": "a", "input": {}}]), "messages.0.content.0.name"),
    "a result of nothing": (user([{"type": "tool_result", "content": "x"}]), "messages.0.content.0.tool_use_id"),
    "an unknown field": ({"prompt": "Hi", "temprature": 1}, "temprature"),
    "an unknown field with a capital": ({"prompt": "Hi", "Stream": True}, "Stream"),
    "an unknown field named like a block": ({"prompt": "Hi", "text": "x"}, "text"),
    "a temperature of 3": ({"prompt": "Hi", "temperature": 3}, "temperature"),
    "a temperature below 0": ({"prompt": "Hi", "temperature": -0.1}, "temperature"),
    "a temperature in words": ({"prompt": "Hi", "temperature": "hot"}, "temperature"),
    "a top_p above 1": ({"prompt": "Hi", "top_p": 1.1}, "top_p"),
    "a top_k below 0": ({"prompt": "Hi", "top_k": -1}, "top_k"),
    "no tokens": ({"prompt": "Hi", "max_tokens": 0}, "max_tokens"),
    "half a token": ({"prompt": "Hi", "max_tokens": 1.5}, "max_tokens"),
    "more tokens than there are numbers": ({"prompt": "Hi", "max_tokens": 10**30}, "max_tokens"),
    "an empty model": ({"prompt": "Hi", "model_id": ""}, "model_id"),
    "an endless model": ({"prompt": "Hi", "model_id": "m" * 3000}, "model_id"),
    "an empty system prompt": ({"prompt": "Hi", "system": ""}, "system"),
    "an empty stop sequence": ({"prompt": "Hi", "stop_sequences": [""]}, "stop_sequences.0"),
    "stop sequences that are none": ({"prompt": "Hi", "stop_sequences": "x"}, "stop_sequences"),
    "a tool without a name": ({"prompt": "Hi", "tools": [{"input_schema": {"type": "object"}}]}, "tools.0.name"),
    "a tool with a bad name": ({"prompt": "Hi", "tools": [WEATHER | {"name": "get weather"}]}, "tools.0.name"),
    "a tool without an object": ({"prompt": "Hi", "tools": [WEATHER | {"input_schema": {}}]}, "tools.0.input_schema"),
    "two tools of one name": ({"prompt": "Hi", "tools": [WEATHER, WEATHER]}, "tools"),
    "a choice without tools": ({"prompt": "Hi", "tool_choice": "any"}, "tool_choice"),
    "a choice that is none": ({"prompt": "Hi", "tools": [WEATHER], "tool_choice": "maybe"}, "tool_choice"),
    "the choice of a tool that is not there": (
        {"prompt": "Hi", "tools": [WEATHER], "tool_choice": {"name": "other"}},
        "tool_choice",
    ),
    "reasoning of no kind": ({"prompt": "Hi", "reasoning": {}}, "reasoning"),
    "reasoning of two kinds": ({"prompt": "Hi", "reasoning": {"effort": "low", "budget_tokens": 2000}}, "reasoning"),
    "an effort that is none": ({"prompt": "Hi", "reasoning": {"effort": "much"}}, "reasoning.effort"),
    "a budget below the model's": ({"prompt": "Hi", "reasoning": {"budget_tokens": 5}}, "reasoning.budget_tokens"),
    "a guardrail without a version": ({"prompt": "Hi", "guardrail": {"id": "g"}}, "guardrail.version"),
    "an api that is none": ({"prompt": "Hi", "api": "grpc"}, "api"),
    "an interruption that is none": ({"prompt": "Hi", "on_interruption": "panic"}, "on_interruption"),
    "a disconnect that is none": ({"prompt": "Hi", "on_disconnect": "panic"}, "on_disconnect"),
    "a stream that is neither": ({"prompt": "Hi", "stream": "perhaps"}, "stream"),
    "metadata that is no text": ({"prompt": "Hi", "metadata": {"a": {}}}, "metadata.a"),
    "an extra that is no object": ({"prompt": "Hi", "extra": []}, "extra"),
    "an extra that is a well": ({"prompt": "Hi", "extra": {"a": json.loads("[" * 300 + "]" * 300)}}, "extra"),
    "a parameter the model does not take": (
        {"prompt": "Hi", "model_id": "anthropic.claude-opus-4-8", "temperature": 0.5},
        "temperature",
    ),
    "a system prompt for a model without one": (
        {"prompt": "Hi", "model_id": "amazon.titan-text-lite-v1", "api": "converse", "system": "x"},
        "system",
    ),
    "half a character": ({"prompt": "a\ud800b"}, "prompt"),
    "half a character in a block": (user([{"type": "text", "text": "\udfff"}]), "messages.0.content.0.text"),
    "half a character in a name": ({"prompt": "Hi", "metadata": {"\ud800": "x"}}, "metadata.\ufffd\ufffd\ufffd"),
    "an unknown field of half a character": ({"prompt": "Hi", "\ud800": "x"}, "body"),
    "half a character deep within": ({"prompt": "Hi", "extra": {"a": [{"b": "\ud800"}]}}, "extra"),
    "a list": ([], "body"),
    "a number": (5, "body"),
    "a text": ("Hi", "body"),
    "null": (None, "body"),
}

UNREADABLE = {
    "nothing": b"",
    "a broken object": b'{"prompt": "Hi"',
    "words": b"prompt=Hi",
    "bytes that are no UTF-8": b'{"prompt": "\xff"}',
    "a trailing comma": b'{"prompt": "Hi",}',
    "a well without a bottom": b"[" * 200_000,
}


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG)
async def test_a_wrong_request_is_refused_and_the_field_is_named(shared: Service, body: Any, field: str) -> None:
    before = len(await shared.calls())
    for path in ("/api/generate", "/api/generate/stream"):
        problem = refused(await post(shared, json.dumps(body).encode(), path), 422)

        assert field in [error["field"] for error in problem["errors"]], problem
        assert f"{field}: " in problem["error"]
    assert len(await shared.calls()) == before


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_is_no_json_is_a_400(shared: Service, body: bytes) -> None:
    assert "JSON" in refused(await post(shared, body), 400)["error"]


async def test_no_body_at_all_is_refused(shared: Service) -> None:
    response = await shared.http.post("/api/generate")

    assert response.status_code in {400, 415, 422}
    assert response.headers["content-type"] == "application/problem+json"


async def test_several_mistakes_are_told_together(shared: Service) -> None:
    body = {"prompt": "", "temperature": 3, "max_tokens": 0, "nonsense": 1}
    problem = refused(await post(shared, json.dumps(body).encode()), 422)

    assert {error["field"] for error in problem["errors"]} >= {"prompt", "temperature", "max_tokens", "nonsense"}


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": [SECRET]},
        {"prompt": SECRET, "temperature": SECRET},
        {"prompt": SECRET, "nonsense": SECRET},
        user([{"type": "text", "text": [SECRET]}]),
        user([{"type": SECRET}]),
        {"prompt": SECRET, "metadata": {"a": [SECRET]}},
        {"prompt": "Hi", "tools": [{"name": SECRET, "input_schema": {}}]},
    ],
)
async def test_a_refusal_never_repeats_what_was_sent(shared: Service, body: Json) -> None:
    assert SECRET not in (await post(shared, json.dumps(body).encode())).text


QUERIES = {
    "no prompt": ({}, "prompt"),
    "a blank prompt": ({"prompt": " "}, "prompt"),
    "a temperature of 3": ({"prompt": "Hi", "temperature": "3"}, "temperature"),
    "an unknown field": ({"prompt": "Hi", "temprature": "1"}, "temprature"),
    "no tokens": ({"prompt": "Hi", "max_tokens": "none"}, "max_tokens"),
    "a stream that is neither": ({"prompt": "Hi", "stream": "perhaps"}, "stream"),
}


@pytest.mark.parametrize(("query", "field"), QUERIES.values(), ids=QUERIES)
async def test_a_wrong_query_is_refused_and_the_field_is_named(
    shared: Service, query: dict[str, str], field: str
) -> None:
    problem = refused(await shared.http.get("/api/generate", params=query), 422)

    assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_model_nobody_knows_is_asked_for_and_not_found(shared: Service) -> None:
    problem = refused(await post(shared, b'{"prompt": "Hi", "model_id": "acme.wonder-1"}'), 404, "model_not_found")

    assert "acme" not in problem["title"]


OPTIONAL = (
    "model_id", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice",
    "reasoning", "guardrail", "stream", "api", "on_interruption", "on_disconnect", "store", "metadata", "extra",
    "messages",
)  # fmt: skip


async def test_null_is_the_same_as_leaving_out(shared: Service) -> None:
    assert (await shared.ask(**dict.fromkeys(OPTIONAL)))["stop_reason"] == "end_turn"


async def test_a_box_that_nobody_has_filled_in_is_the_same_as_leaving_out(shared: Service) -> None:
    empty = {"prompt": "Hi", "model_id": "", "system": "", "max_tokens": "", "temperature": ""}
    answer = await shared.http.get("/api/generate", params=empty | {"stream": "false"})
    nothing = await shared.http.get("/api/generate", params={"prompt": "", "stream": "false"})

    assert answer.status_code == 200
    refused(nothing, 422)


async def test_every_member_of_a_request_is_described(shared: Service) -> None:
    document = (await shared.http.get("/openapi.json")).json()
    parameters = document["paths"]["/api/generate"]["get"]["parameters"]

    for name, schema in document["components"]["schemas"]["Generate"]["properties"].items():
        assert schema.get("description"), name
    for parameter in parameters:
        assert parameter.get("description"), parameter["name"]


async def test_an_address_that_does_not_exist_is_not_found(shared: Service) -> None:
    refused(await shared.http.get("/api/nonsense"), 404, "not_found")


async def test_a_method_that_an_address_does_not_take_is_said_to_be_so(shared: Service) -> None:
    response = await shared.http.put("/api/generate", json={"prompt": "Hi"})

    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert response.headers["allow"] == "GET, POST"  # of two routes


async def post(service: Service, body: bytes, path: str = "/api/generate") -> httpx.Response:
    return await service.http.post(path, content=body, headers={"Content-Type": "application/json"})


def refused(response: httpx.Response, status: int, code: str = "validation") -> Json:
    problem: Json = response.json()
    assert response.status_code == status, problem
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["status"], problem["retryable"]) == (code, status, False)
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["error"] == problem["detail"]
    return problem
