"""Sends in a conversation: what the model gets, resume, repeated and replaced messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.local.app import create_local_app
from service.local.server import serve_local
from tests.conversations.talk import talk
from tests.harness import Json, Service, events_of, running, text_of
from tests.waiting import eventually

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {"name": "get_weather", "description": "The weather of a town", "input_schema": {"type": "object"}}


class Recorder:
    """Middleware before the local Bedrock that records request bodies."""

    def __init__(self, app: ASGIApp, bodies: list[Json]) -> None:
        self._app = app
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pieces: list[bytes] = []

        async def listen() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                pieces.append(message.get("body", b""))
                if not message.get("more_body") and any(pieces):
                    self._bodies.append(msgspec.json.decode(b"".join(pieces)))
            return message

        await self._app(scope, listen, send)


@asynccontextmanager
async def recorded_service(monkeypatch: pytest.MonkeyPatch, **values: Any) -> AsyncIterator[tuple[Service, list[Json]]]:
    """Run a service and record the bodies that it sends to Bedrock."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    bodies: list[Json] = []
    local = create_local_app(rate=0, faults=True)
    local.add_middleware(Recorder, bodies=bodies)
    async with (
        serve_local(app=local) as url,
        running(backend="aws", region="us-east-1", bedrock_endpoint_url=url, **values) as service,
    ):
        yield service, bodies


async def test_the_model_gets_the_history_and_the_system_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded_service(monkeypatch) as (service, bodies):
        one = await talk(service, system="Be brief.")
        first = await one.say("One")
        await one.say("Two")

    assert bodies[-1]["system"] == [{"text": "Be brief."}]
    assert bodies[-1]["messages"] == [
        {"role": "user", "content": [{"text": "One"}]},
        {"role": "assistant", "content": [{"text": first["text"]}]},
        {"role": "user", "content": [{"text": "Two"}]},
    ]


async def test_a_send_may_set_another_system_prompt_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded_service(monkeypatch) as (service, bodies):
        one = await talk(service, system="Be brief.", model_id="amazon.nova-lite-v1:0")
        first = await one.say("One")
        second = await one.say("Two", system="Be long.", model_id="amazon.nova-micro-v1:0")

    assert (first["model_id"], second["model_id"]) == ("amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0")
    assert [body["system"] for body in bodies] == [[{"text": "Be brief."}], [{"text": "Be long."}]]


async def test_the_model_gets_at_most_max_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded_service(monkeypatch) as (service, bodies):
        one = await talk(service, max_messages=4, system="Be brief.")
        for n in range(5):
            await one.say(f"Question {n}")

    assert [message["role"] for message in bodies[-1]["messages"]] == ["user", "assistant", "user"]
    assert bodies[-1]["messages"][0]["content"] == [{"text": "Question 3"}]
    assert bodies[-1]["system"] == [{"text": "Be brief."}]


async def test_a_tool_call_is_answered_by_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded_service(monkeypatch) as (service, bodies):
        one = await talk(service)
        asked = await one.say("What is the weather in Oslo?", tools=[WEATHER], tool_choice="any")
        (call,) = [block for block in asked["content"] if block["type"] == "tool_use"]
        answer = {"type": "tool_result", "tool_use_id": call["id"], "content": "Rain"}
        reply = await one.say([answer], tools=[WEATHER])
        kept = (await one.read())["messages"]

    assert asked["stop_reason"] == "tool_use"
    assert reply["text"]
    assert call in kept[1]["content"]
    assert kept[2]["content"] == [answer]
    (sent,) = [block["toolUse"] for block in bodies[-1]["messages"][1]["content"] if "toolUse" in block]
    assert (sent["toolUseId"], sent["name"]) == (call["id"], "get_weather")


async def test_a_result_without_a_call_is_refused(service: Service) -> None:
    one = await talk(service)
    await one.say("Hi")

    refused = await one.post([{"type": "tool_result", "tool_use_id": "x", "content": "y"}])

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "content.0.tool_use_id"
    assert (await one.say("Hi"))["text"]  # no claim is left


async def test_signed_reasoning_is_stored_and_sent_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded_service(monkeypatch) as (service, bodies):
        one = await talk(service)
        thought = await one.say("Think", reasoning={"budget_tokens": 1024}, max_tokens=2000)
        await one.say("And?", reasoning={"budget_tokens": 1024}, max_tokens=2000)
        kept = (await one.read())["messages"][1]

    (reasoning,) = [block for block in thought["content"] if block["type"] == "reasoning"]
    assert reasoning["signature"]
    assert kept["content"] == thought["content"]
    (sent,) = [block for block in bodies[-1]["messages"][1]["content"] if "reasoningContent" in block]
    assert sent["reasoningContent"]["reasoningText"] == {
        "text": reasoning["text"],
        "signature": reasoning["signature"],
    }


async def test_an_image_is_stored_and_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    image = {"type": "image", "media_type": "image/png", "data": PIXEL}
    async with recorded_service(monkeypatch) as (service, bodies):
        one = await talk(service)
        await one.say([image, {"type": "text", "text": "What is this?"}])
        await one.say("And now?")
        kept = (await one.read())["messages"][0]

    assert kept["content"][0] == image
    assert bodies[-1]["messages"][0]["content"][0]["image"]["source"]["bytes"] == PIXEL


WRONG: dict[str, tuple[Json, str]] = {
    "no content": ({}, "content"),
    "blank content": ({"content": " "}, "content"),
    "no blocks": ({"content": []}, "content"),
    "a tool call of the user": ({"content": [{"type": "tool_use", "id": "x", "name": "y", "input": {}}]}, "content"),
    "store is false": ({"content": "Hi", "store": False}, "store"),
    "messages are given": ({"content": "Hi", "messages": []}, "messages"),
    "replaces is not an id": ({"replaces": "x"}, "replaces"),
}


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG)
async def test_an_invalid_message_is_refused_with_the_name_of_its_field(
    service: Service, body: Json, field: str
) -> None:
    one = await talk(service)

    refused = await service.http.post(f"{one.path}/messages", json=body)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith(field)


async def test_a_reader_resumes_a_reply_after_its_last_event(service: Service) -> None:
    one = await talk(service)
    async with one.open("Hi", fault="gate@2") as events:
        first = await anext(events)
    await service.bedrock.post("/_local/release")

    async with service.http.stream(
        "POST", f"{one.path}/messages", json={"anything": 1}, headers={"Last-Event-ID": first.id}
    ) as response:
        rest = [event async for event in events_of(response)]

    assert [event.n for event in rest] == list(range(2, len(rest) + 2))
    assert rest[-1].data["done"]
    assert len((await one.read())["messages"]) == 2


async def test_a_repeated_key_returns_the_same_reply(service: Service) -> None:
    one = await talk(service)
    key = {"Idempotency-Key": "once"}

    first = await one.say("Hi", headers=key)
    again = await one.say("Hi", headers=key)
    other = await one.post("Something else", headers=key)

    assert (again["stream_id"], again["text"], again["message_id"]) == (
        first["stream_id"],
        first["text"],
        first["message_id"],
    )
    assert (other.status_code, other.json()["code"]) == (422, "validation")
    assert len((await one.read())["messages"]) == 2


async def test_a_key_used_twice_concurrently_makes_one_reply(service: Service) -> None:
    one = await talk(service)

    replies = await asyncio.gather(*(one.say("Hi", headers={"Idempotency-Key": "once"}) for _ in range(3)))

    assert len({reply["stream_id"] for reply in replies}) == 1
    assert len((await one.read())["messages"]) == 2


async def test_a_replaced_message_deletes_what_followed_it(service: Service) -> None:
    one = await talk(service)
    for text in ("One", "Two", "Three"):
        await one.say(text)
    second = (await one.read())["messages"][2]["id"]

    await one.say("Two, but better", replaces=second)

    kept = (await one.read())["messages"]
    assert [message["text"] for message in kept if message["role"] == "user"] == ["One", "Two, but better"]
    assert len(kept) == 4


async def test_a_message_sent_again_keeps_its_content(service: Service) -> None:
    one = await talk(service)
    await one.say("One")
    first, reply = (await one.read())["messages"]

    await one.say(None, replaces=first["id"])

    again = (await one.read())["messages"]
    assert [message["text"] for message in again if message["role"] == "user"] == ["One"]
    assert again[1]["id"] != reply["id"]


async def test_a_send_that_is_not_admitted_replaces_nothing(service: Service) -> None:
    one = await talk(service)
    await one.say("One")
    before = (await one.read())["messages"]

    refused = await one.post("Two", replaces=before[0]["id"], model_id="amazon.titan-text-lite-v1", tools=[WEATHER])
    unknown = await one.post("Two", replaces="0" * 32)

    assert refused.status_code in {400, 422}
    assert unknown.status_code == 404
    assert (await one.read())["messages"] == before


async def test_deleting_a_conversation_cancels_its_running_reply(service: Service) -> None:
    one = await talk(service)
    async with one.open("Hi", fault="stall@2") as events:
        first = await anext(events)
        await service.http.delete(one.path)
        rest = [event async for event in events]

    assert text_of(rest) is not None
    gone = await service.http.get(f"/api/streams/{first.data['stream_id']}")
    assert gone.status_code == 410

    async def closed() -> Any:
        return (await service.calls())[-1]["state"] == "closed"

    await eventually(closed)


async def test_messages_are_read_in_pages_from_the_last_on(service: Service) -> None:
    one = await talk(service)
    for n in range(3):
        await one.say(f"{n}")

    last = await one.read(limit=4)
    earlier = await one.read(limit=4, cursor=last["next_cursor"])

    assert [message["text"] for message in last["messages"]][::2] == ["1", "2"]
    assert [message["text"] for message in earlier["messages"]][::2] == ["0"]
    assert earlier["next_cursor"] is None
