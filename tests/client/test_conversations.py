"""Conversations through the client."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from artesian import Artesian, ArtesianError, AsyncArtesian, Done, Text
from tests.client.cutting_proxy import cutting
from tests.harness import Service, fault_header, running
from tests.waiting import patience


@pytest.fixture
async def keeping(tmp_path: Path) -> AsyncIterator[Service]:
    async with running(database_url=f"sqlite+aiosqlite:///{tmp_path}/kept.db") as service:
        yield service


async def test_a_conversation_is_created_listed_renamed_and_deleted(keeping: Service) -> None:
    async with AsyncArtesian(keeping.url) as artesian:
        conversations = artesian.conversations
        made = await conversations.create("A talk", system="Be brief.", max_messages=4)
        assert (made.title, made.system, made.max_messages, made.messages) == ("A talk", "Be brief.", 4, [])

        assert (await conversations.rename(made.id, "Another")).title == "Another"
        assert (await conversations.change(made.id, system=None)).system is None
        assert [each.id for each in await conversations.list()] == [made.id]

        await conversations.delete(made.id)
        with pytest.raises(ArtesianError) as gone:
            await conversations.get(made.id)

    assert gone.value.code == "not_found"


async def test_lists_are_read_in_pages(keeping: Service) -> None:
    async with AsyncArtesian(keeping.url) as artesian:
        made = [(await artesian.conversations.create()).id for _ in range(3)]
        first = await artesian.conversations.list(limit=2)
        second = await artesian.conversations.list(limit=2, cursor=first.next_cursor)

    assert {each.id for each in (*first, *second)} == set(made)
    assert second.next_cursor is None


async def test_replies_are_stored_whether_whole_or_streamed(keeping: Service) -> None:
    async with AsyncArtesian(keeping.url) as artesian:
        made = await artesian.conversations.create()
        first = await artesian.conversations.send(made.id, "Hi")
        async with artesian.conversations.stream(made.id, [{"type": "text", "text": "And now?"}]) as stream:
            events = [event async for event in stream]
        kept = await artesian.conversations.get(made.id)

    assert isinstance(events[-1], Done)
    assert [(message.role, message.status) for message in kept.messages] == [
        ("user", "complete"),
        ("assistant", "complete"),
    ] * 2
    assert [message.text for message in kept.messages] == ["Hi", first.text, "And now?", stream.text]


async def test_leaving_a_reply_cancels_it_and_stores_its_text_so_far(keeping: Service) -> None:
    headers = fault_header("gate@2")
    async with AsyncArtesian(keeping.url, headers=headers) as artesian:
        made = await artesian.conversations.create()
        async with artesian.conversations.stream(made.id, "Hi") as stream:
            first = await anext(stream.texts())
        async with patience():
            while (kept := await artesian.conversations.get(made.id)).answering:
                pass

    assert kept.messages[1].status == "cancelled"
    assert kept.messages[1].text.startswith(first)


async def test_a_message_is_sent_once_over_a_broken_connection(keeping: Service) -> None:
    async with AsyncArtesian(keeping.url) as artesian:
        made = await artesian.conversations.create()
    for cut in (0, 900):
        async with cutting(keeping.url, [cut]) as proxy, AsyncArtesian(proxy.url, backoff_s=[0, 0]) as artesian:
            async with artesian.conversations.stream(made.id, "Hi") as stream:
                said = [event.text async for event in stream if isinstance(event, Text)]
            kept = await artesian.conversations.get(made.id)
        assert kept.messages[-1].text == "".join(said) != ""

    assert len(kept.messages) == 4


async def test_the_synchronous_client_does_the_same(keeping: Service) -> None:
    def talk() -> list[str]:
        with Artesian(keeping.url) as artesian:
            made = artesian.conversations.create(system="Be brief.")
            artesian.conversations.rename(made.id, "Renamed")
            whole = artesian.conversations.send(made.id, "Hi").text
            with artesian.conversations.stream(made.id, "And now?") as stream:
                streamed = "".join(stream.texts())
            (kept,) = artesian.conversations.list()
            assert kept.title == "Renamed"
            told = [message.text for message in artesian.conversations.get(made.id).messages]
            artesian.conversations.delete(made.id)
        assert told == ["Hi", whole, "And now?", streamed]
        return told

    assert len(await asyncio.to_thread(talk)) == 4
