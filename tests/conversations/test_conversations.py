"""Conversations over a real socket: create, list, read, change, delete, send."""

import asyncio
from typing import Any

import pytest

from tests.conversations.talk import talk
from tests.harness import Service, text_of
from tests.waiting import eventually


async def test_a_conversation_is_created_with_the_given_values(service: Service) -> None:
    made = await service.http.post(
        "/api/conversations", json={"title": "Wells", "system": "Be brief.", "model_id": "m", "max_messages": 4}
    )

    assert made.status_code == 201
    body = made.json()
    assert made.headers["Location"] == f"/api/conversations/{body['id']}"
    assert {name: body[name] for name in ("title", "system", "model_id", "max_messages", "answering")} == {
        "title": "Wells",
        "system": "Be brief.",
        "model_id": "m",
        "max_messages": 4,
        "answering": None,
    }


async def test_a_conversation_can_be_created_without_values(service: Service) -> None:
    bodies: tuple[dict[str, Any] | None, ...] = ({}, None)
    for body in bodies:
        made = (await service.http.post("/api/conversations", json=body)).json()

        assert made["title"] is None
        assert made["max_messages"] == 10


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"max_messages": 0}, "max_messages"),
        ({"model_id": "a b"}, "model_id"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_an_invalid_conversation_is_refused_with_the_name_of_its_field(
    service: Service, body: Any, field: str
) -> None:
    refused = await service.http.post("/api/conversations", json=body)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == field


async def test_conversations_are_listed_in_pages_the_latest_first(service: Service) -> None:
    made = [(await service.http.post("/api/conversations", json={"title": f"{n}"})).json()["id"] for n in range(5)]

    seen: list[str] = []
    cursor = None
    while True:
        query: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await service.http.get("/api/conversations", params=query)).json()
        assert len(page["conversations"]) <= 2
        seen += [conversation["id"] for conversation in page["conversations"]]
        if not (cursor := page["next_cursor"]):
            break

    assert sorted(seen) == sorted(made)
    assert len(set(seen)) == 5


@pytest.mark.parametrize("cursor", ["!", "zzzz", "MTI", "é", "MTphYmM"])
async def test_an_invalid_cursor_is_refused_with_400(service: Service, cursor: str) -> None:
    refused = await service.http.get("/api/conversations", params={"cursor": cursor})

    assert (refused.status_code, refused.json()["code"]) == (400, "validation")


async def test_a_message_moves_a_conversation_to_the_top(service: Service) -> None:
    first, second = [await talk(service) for _ in range(2)]
    await first.say("Hello")

    page = (await service.http.get("/api/conversations")).json()

    assert [conversation["id"] for conversation in page["conversations"]] == [first.id, second.id]


async def test_a_change_affects_only_the_given_fields_and_null_clears_one(service: Service) -> None:
    one = await talk(service, title="Old", system="Be brief.")

    changed = await service.http.patch(one.path, json={"title": "New", "system": None})

    assert changed.status_code == 200
    body = (await service.http.get(one.path)).json()
    assert (body["title"], body["system"], body["max_messages"]) == ("New", None, 10)


async def test_a_deleted_conversation_is_gone_with_its_messages(service: Service) -> None:
    one = await talk(service)
    await one.say("Hello")

    deleted = await service.http.delete(one.path)

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await service.http.get(one.path)).status_code == 404
    assert (await service.http.delete(one.path)).status_code == 404
    assert (await service.http.get("/api/conversations")).json()["conversations"] == []


@pytest.mark.parametrize(("conversation", "status", "code"), [("0" * 32, 404, "not_found"), ("x", 400, "validation")])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
async def test_an_unknown_conversation_is_404(
    service: Service, method: str, conversation: str, status: int, code: str
) -> None:
    path = f"/api/conversations/{conversation}" + ("/messages" if method == "POST" else "")
    body = {"POST": {"content": "Hi"}, "PATCH": {}}.get(method)

    refused = await service.http.request(method, path, json=body)

    assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_a_reply_is_returned_as_one_object_and_both_messages_are_stored(service: Service) -> None:
    one = await talk(service)

    reply = await one.say("Why is the sky blue?")

    kept = await one.read()
    asked, answered = kept["messages"]
    assert (asked["role"], asked["content"]) == ("user", [{"type": "text", "text": "Why is the sky blue?"}])
    assert (answered["role"], answered["text"], answered["status"]) == ("assistant", reply["text"], "complete")
    assert answered["content"] == reply["content"]
    assert answered["usage"] == reply["usage"]
    assert answered["stop_reason"] == "end_turn"
    assert answered["id"] == reply["message_id"]
    assert kept["id"] == reply["conversation_id"]
    assert kept["answering"] is None


async def test_a_reply_is_streamed_and_stored_once_its_end_is_seen(service: Service) -> None:
    one = await talk(service)

    async with one.open("Why is the sky blue?") as events:
        seen = [event async for event in events]

    assert seen[-1].data["done"]
    kept = await one.read()
    assert kept["messages"][1]["text"] == text_of(seen)
    assert kept["messages"][1]["status"] == "complete"
    assert kept["answering"] is None


async def test_a_title_is_made_from_the_first_message_unless_one_is_given(service: Service) -> None:
    untitled, titled = await talk(service), await talk(service, title="Mine")

    for one in (untitled, titled):
        await one.say("Tell me about the deep and quiet wells of the old town and about their keepers")
        await one.say("And more")

    assert (await untitled.read())["title"] == "Tell me about the deep and quiet wells of the old town and…"
    assert (await titled.read())["title"] == "Mine"


async def test_a_second_send_during_a_reply_is_a_conflict(service: Service) -> None:
    one = await talk(service)
    async with one.open("One", fault="stall@1") as events:
        await anext(events)
        refused = await service.http.post(f"{one.path}/messages", json={"content": "Two"})

        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        stream_id = (await one.read())["answering"]
        await service.http.delete(f"/api/streams/{stream_id}")

    assert (await one.say("Three"))["stop_reason"] == "end_turn"


async def test_of_several_concurrent_sends_one_is_answered_and_the_others_are_conflicts(service: Service) -> None:
    one = await talk(service)
    sends = [asyncio.ensure_future(one.post(f"{n}", fault="gate")) for n in range(4)]

    async def refused() -> bool:
        return sum(send.done() for send in sends) == 3

    await eventually(refused)
    await service.bedrock.post("/_local/release")

    assert sorted(answer.status_code for answer in await asyncio.gather(*sends)) == [200, 409, 409, 409]
    assert len((await one.read())["messages"]) == 2


async def test_the_next_send_may_follow_the_end_at_once(service: Service) -> None:
    one = await talk(service)

    for n in range(5):
        async with one.open(f"{n}") as events:
            [event async for event in events]

    assert [message["status"] for message in (await one.read())["messages"]] == ["complete"] * 10


async def test_a_reply_is_stored_after_its_reader_disconnects(service: Service) -> None:
    one = await talk(service)
    async with one.open("Tell me everything") as events:
        await anext(events)

    reply = await one.settled()

    assert reply["status"] == "complete"
    assert reply["text"]


async def test_a_reply_without_a_stream_is_stored_after_its_client_disconnects(service: Service) -> None:
    one = await talk(service)
    asked = asyncio.ensure_future(one.say("Hello", fault="gate"))

    async def begun() -> Any:
        return (await one.read())["answering"]

    await eventually(begun)
    asked.cancel()
    await asyncio.wait({asked})
    await service.bedrock.post("/_local/release")

    assert (await one.settled())["status"] == "complete"


async def test_a_cancelled_reply_is_stored_with_its_content_so_far(service: Service) -> None:
    one = await talk(service)
    async with one.open("Tell me everything", fault="stall@3") as events:
        seen = [await anext(events)]
        while len(text_of(seen)) == 0:
            seen.append(await anext(events))
        await service.http.delete(f"/api/streams/{seen[0].data['stream_id']}")
        seen += [event async for event in events]

    reply = (await one.read())["messages"][1]
    assert (reply["status"], reply["partial"], reply["text"]) == ("cancelled", True, text_of(seen))
    assert reply["stop_reason"] == "cancelled"


async def test_a_truncated_reply_is_stored_with_the_reason(service: Service) -> None:
    one = await talk(service)
    async with one.open("Tell me everything", fault="cut@3", on_interruption="fail") as events:
        seen = [event async for event in events]

    reply = (await one.read())["messages"][1]
    assert (reply["status"], reply["partial"], reply["text"]) == ("failed", True, text_of(seen))
    assert reply["error"]["code"] == "upstream_truncated"


async def test_a_refused_reply_is_stored_as_failed(service: Service) -> None:
    one = await talk(service)
    refused = await service.http.post(
        f"{one.path}/messages", json={"content": "Hi"}, headers={"X-Artesian-Fault": "http=AccessDeniedException"}
    )
    assert refused.status_code == 403

    kept = (await one.read())["messages"]
    assert [message["status"] for message in kept] == ["complete", "failed"]
    assert kept[1]["partial"] is False


async def test_a_send_that_is_not_admitted_stores_nothing(service: Service) -> None:
    one = await talk(service)

    refused = await service.http.post(f"{one.path}/messages", json={"content": "Hi", "top_k": 5, "temperature": 3})

    assert refused.status_code == 422
    assert (await one.read())["messages"] == []
    assert (await one.say("Hi"))["text"]
