"""The OpenAPI document tells the truth about what these surfaces send."""

import json
import re
from functools import cache
from typing import Any

import jsonschema
import pytest

from service.app import create_app
from service.deltas import Event, Failed, TextDelta
from service.dialects import anthropic_messages, models, openai_chat, openai_responses
from tests.dialects.answers import ANSWERS, EVERY_STOP, HEADING, START
from tests.harness import Json, settings

FAILED = Failed("upstream_truncated", "The model's answer broke off.", 502, retryable=True, partial=True)
STREAMS: dict[str, list[Event]] = {
    **ANSWERS,
    **{f"stopped for {reason}": events for reason, events in EVERY_STOP.items()},
    "a failure": [START, TextDelta(0, "So far"), FAILED],
}
SUMMARY = openai_responses.ResponsesOptions(reasoning={"summary": "auto"})


@cache
def document() -> Json:
    described: Json = create_app(settings()).openapi()
    return described


def check(value: Any, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def events(sent: bytes) -> list[dict[str, str]]:
    blocks = [block for block in sent.decode().split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def check_event(event: dict[str, str], name: str) -> None:
    """Check an event and, as a JSON Schema alone does not, what its data holds."""
    check(event, name)
    if event["data"] == "[DONE]":
        return
    shapes = document()["components"]["schemas"][name]
    branches = shapes.get("anyOf", [shapes])
    for branch in branches:
        if branch["properties"]["event"].get("const", event.get("event")) == event.get("event"):
            told = branch["properties"]["data"]
            content = told.get("anyOf", [told])[0]["contentSchema"]
            schema = {**content, "components": document()["components"]}
            jsonschema.Draft202012Validator(schema).validate(json.loads(event["data"]))
            return
    raise AssertionError(event)


ENCODERS: dict[str, tuple[str, Any]] = {
    "chat": ("ChatEvent", lambda: openai_chat.ChatEvents(HEADING, openai_chat.ChatOptions(include_usage=True))),
    "responses": ("ResponseEvent", lambda: openai_responses.ResponsesEvents(HEADING)),
    "responses, with a summary": ("ResponseEvent", lambda: openai_responses.ResponsesEvents(HEADING, SUMMARY)),
    "messages": ("MessageEvent", lambda: anthropic_messages.MessagesEvents(HEADING)),
}
STREAM_ID = "0123456789abcdef" * 2


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize(("name", "encoder"), ENCODERS.values(), ids=ENCODERS)
def test_every_event_is_as_described(name: str, encoder: Any, stream: list[Event]) -> None:
    sent = encoder().encode(1, stream).replace(HEADING.stream_id.encode(), STREAM_ID.encode())
    assert sent
    for event in events(sent):
        check_event(event, name)


def test_the_heartbeat_of_messages_is_as_described() -> None:
    for event in events(anthropic_messages.MessagesEvents.heartbeat):
        check_event(event, "MessageEvent")


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_whole_answer_is_as_described(stream: list[Event]) -> None:
    check(openai_chat.whole(HEADING, None, stream), "ChatCompletion")
    check(openai_responses.whole(HEADING, None, stream), "ResponseObject")
    check(openai_responses.whole(HEADING, SUMMARY, stream), "ResponseObject")
    check(anthropic_messages.whole(HEADING, None, stream), "MessageObject")


def test_errors_and_models_are_as_described() -> None:
    check(openai_chat.error(FAILED)[1], "OpenAIError")
    check(anthropic_messages.error(FAILED, request_id="1")[1], "AnthropicError")
    check(models.models([models.Card("m", "M", "amazon")]), "ModelCards")


def test_every_reference_of_the_document_leads_somewhere() -> None:
    told = json.dumps(document())

    for place in set(re.findall(r'"#/components/schemas/([^"]+)"', told)):
        assert place in document()["components"]["schemas"]


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/v1/chat/completions", "post", "ChatRequestBody"),
        ("/v1/responses", "post", "ResponsesRequestBody"),
        ("/v1/messages", "post", "MessagesRequestBody"),
    ],
)
def test_requests_are_described_by_what_reads_them(path: str, method: str, body: str) -> None:
    operation = document()["paths"][path][method]

    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith(body)
    assert "text/event-stream" in operation["responses"]["200"]["content"]
    check({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "input": "Hi", "else": 1}, body)
    with pytest.raises(jsonschema.ValidationError):
        check({"model": 1}, body)
