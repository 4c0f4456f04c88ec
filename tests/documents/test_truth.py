"""What is sent is what the document says: each event, answer, state and error, of every kind there is."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from service.dialects.native import schema
from tests.harness import Event, Json, Service, fault_header, running
from tests.native.gates import call_of, release
from tests.native.raw import Raw, read_raw
from tests.native.test_events import WEATHER

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMS: dict[str, Json] = {
    "text": {},
    "by InvokeModel": {"api": "invoke"},
    "a tool call": {"prompt": "The weather in Oslo?", "tools": [WEATHER]},
    "reasoning": {"prompt": "Why does it rain?", "reasoning": {"effort": "low"}},
    "redacted reasoning": {"prompt": "Why, with redacted thinking?", "reasoning": {"effort": "low"}},
    "a guardrail": {"prompt": "The forbidden thing", "guardrail": {"id": "g1", "version": "1", "trace": True}},
    "a retry": {"fault": "throttle"},
    "a continuation": {"fault": "cut@2"},
    "a restart": {"fault": "cut@2", "on_interruption": "restart"},
    "a failure": {"fault": "cut@2", "on_interruption": "fail"},
    "no usage": {"fault": "no-metadata"},
    "a strange stop": {"fault": "stop-reason=bored"},
    "progress": {"fault": "rate=40", "prompt": "Write 100 words.", "max_tokens": 50},
}


def described(document: Json, part: Json) -> Draft202012Validator:
    """A validator of one schema of the document, which refers to others."""
    return Draft202012Validator({**part, "components": document["components"]})


def describes(document: Json, event: Json, payload: Any) -> bool:
    """Whether a branch of `itemSchema` fits both the event and the JSON in its data."""
    item = document["paths"]["/api/generate/stream"]["post"]["responses"]["200"]["content"]["text/event-stream"]
    return any(
        described(document, branch).is_valid(event)
        and described(document, branch["properties"]["data"]["contentSchema"]).is_valid(payload)
        and ("event" in event) == ("event" in branch["properties"])
        for branch in item["itemSchema"]["anyOf"]
    )


def fits(name: str | None, payload: Any) -> bool:
    """Whether one of the shapes of an event's name takes it, strictly."""
    return name in schema.OPEN_EVENTS or any(taken(shape, payload) for shape in schema.EVENTS[name])


def taken(shape: type[BaseModel], payload: Any) -> bool:
    try:
        shape.model_validate(payload)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("asked", STREAMS.values(), ids=STREAMS)
async def test_every_event_of_a_stream_is_as_described(shared: Service, document: Json, asked: Json) -> None:
    check_events(document, await read_raw(shared, **asked))


async def test_what_waits_and_what_is_cancelled_is_as_described(document: Json) -> None:
    async with running(max_streams=1, commit_after=0) as service, service.open(fault="gate@1") as first:
        await call_of(service, state="waiting")
        queued = asyncio.create_task(read_raw(service))
        start = await anext(first)
        await service.http.delete(f"/api/streams/{start.data['stream_id']}")
        await release(service)
        check_events(document, await queued)
        for event in await collected(first):
            assert describes(document, {"data": "", "id": event.id}, event.data)


async def test_a_refusal_to_an_event_source_is_an_event_as_described(shared: Service, document: Json) -> None:
    response = await shared.http.get("/api/generate", headers={"Accept": "text/event-stream"})

    check_events(document, Raw(response.status_code, dict(response.headers), response.content))


@pytest.mark.parametrize("asked", list(STREAMS.values())[:6], ids=list(STREAMS)[:6])
async def test_a_whole_answer_is_as_described(shared: Service, document: Json, asked: Json) -> None:
    answer = await shared.ask(**asked)

    shape = document["paths"]["/api/generate"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    described(document, shape).validate(answer)
    schema.AnswerShape.model_validate(answer)


@pytest.mark.parametrize("fault", [None, "cut@2"])
async def test_a_streams_state_is_as_described(shared: Service, document: Json, fault: str | None) -> None:
    events = await shared.stream(fault=fault, on_interruption="fail")
    state = await shared.state(events[0].data["stream_id"])

    operation = document["paths"]["/api/streams/{stream_id}"]["get"]
    described(document, operation["responses"]["200"]["content"]["application/json"]["schema"]).validate(state)
    schema.SnapshotShape.model_validate(state)


@pytest.mark.parametrize(
    ("body", "fault", "status"),
    [
        ({}, None, 422),
        ({"prompt": "Hi"}, "http=400", 400),
        ({"prompt": "Hi"}, "eol", 404),
        ({"prompt": "Hi"}, "crc*", 502),
    ],
)
async def test_an_error_is_as_described(
    shared: Service, document: Json, body: Json, fault: str | None, status: int
) -> None:
    response = await shared.http.post("/api/generate", json=body, headers=fault_header(fault))
    assert response.status_code == status

    content = document["paths"]["/api/generate"]["post"]["responses"][str(status)]["content"]
    described(document, content["application/problem+json"]["schema"]).validate(response.json())
    schema.ProblemShape.model_validate(response.json())


async def test_the_headers_of_a_stream_are_as_described(shared: Service, document: Json) -> None:
    raw = await read_raw(shared)

    headers = document["paths"]["/api/generate/stream"]["post"]["responses"]["200"]["headers"]
    limited = {"ratelimit", "ratelimit-policy"}  # of a key that has limits; tests/limits reads those
    assert {name.lower() for name in headers} - limited <= set(raw.headers)


def check_events(document: Json, raw: Raw) -> None:
    assert raw.status == 200
    for block in raw.blocks:
        event: Json = {name: int(value) if name == "retry" else value for name, value in block.items()}
        payload = json.loads(block["data"])
        assert describes(document, event, payload), block
        assert fits(block.get("event"), payload), block


async def collected(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]
