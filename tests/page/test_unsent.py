"""Messages that the service refuses or does not confirm: they stay on the page and never change a stored one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.harness import Json, Service, running
from tests.limits.keyed import limited
from tests.page.browser import Chat, tab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Held:
    """Requests that are held back: whether one has arrived, and whether they may continue."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared() -> AsyncIterator[Service]:
    """One service for all tests of this module: each of them opens conversations of its own."""
    async with running(local_rate=2000, max_body=100_000) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def chat(chromium: Browser, shared: Service) -> AsyncIterator[Chat]:
    async with tab(chromium, shared.url) as opened:
        await opened.load()
        yield opened


async def say(chat: Chat, text: str) -> None:
    """Send a message and wait for its whole answer."""
    await chat.ask(f'Say "{text}"')
    await expect(chat.answer.locator(".markdown")).to_have_text(text)
    await chat.done()


async def set_max_tokens(chat: Chat, value: int) -> None:
    await chat.button("Settings").click()
    await chat.page.locator("#max-tokens").fill(str(value))
    await chat.button("Done").click()


async def stored(service: Service, conversation: str) -> list[str]:
    """The texts of the messages that the service has stored."""
    read: Json = (await service.http.get(f"/api/conversations/{conversation}")).json()
    return [message["text"] for message in read["messages"]]


async def conversations(service: Service) -> set[str]:
    listed = (await service.http.get("/api/conversations?limit=100")).json()["conversations"]
    return {conversation["id"] for conversation in listed}


def opened(chat: Chat) -> str:
    """The id of the conversation that the page shows."""
    return chat.page.url.partition("#")[2]


def sent(chat: Chat) -> Locator:
    """The user's messages on the page."""
    return chat.page.locator("article.user p:not(.note)")


async def edit_last(chat: Chat) -> None:
    await chat.page.locator("article.user").last.hover()
    await chat.button("Edit and send again").last.click()


@asynccontextmanager
async def held(page: Page, path: str, method: str = "GET") -> AsyncIterator[Held]:
    """Hold back the requests of the page to a path, until they are released."""
    hold = Held()

    async def handle(route: Route) -> None:
        if route.request.method != method:
            await route.fallback()
            return
        hold.arrived.set()
        await hold.released.wait()
        await route.continue_()

    await page.route(path, handle)
    yield hold
    hold.released.set()


async def test_an_edited_refused_message_replaces_no_stored_one(chat: Chat, shared: Service) -> None:
    await say(chat, "One.")
    await say(chat, "Two.")
    await set_max_tokens(chat, 999_999)
    await chat.ask('Say "Three."')
    await expect(chat.status).to_contain_text("Failed:")
    await set_max_tokens(chat, 500)
    await edit_last(chat)
    await expect(chat.box).to_have_value('Say "Three."')
    await say(chat, "Third.")

    await expect(sent(chat)).to_have_text(['Say "One."', 'Say "Two."', 'Say "Third."'])
    assert await stored(shared, opened(chat)) == [
        'Say "One."', "One.", 'Say "Two."', "Two.", 'Say "Third."', "Third.",
    ]  # fmt: skip


async def test_a_refused_edit_changes_nothing_and_is_still_an_edit(chat: Chat, shared: Service) -> None:
    await say(chat, "One.")
    await set_max_tokens(chat, 999_999)
    await edit_last(chat)
    await chat.ask('Say "Other."')
    await expect(chat.status).to_contain_text("Failed:")
    await expect(sent(chat)).to_have_text(['Say "One."', 'Say "Other."'])
    assert await stored(shared, opened(chat)) == ['Say "One."', "One."]

    await set_max_tokens(chat, 500)
    await chat.button("Try again").click()
    await chat.done()
    await expect(sent(chat)).to_have_text(['Say "Other."'])
    assert await stored(shared, opened(chat)) == ['Say "Other."', "Other."]


async def test_a_refused_regeneration_shows_the_stored_answer_again(chat: Chat) -> None:
    await say(chat, "One.")
    await set_max_tokens(chat, 999_999)
    await chat.button("Regenerate").click()
    await expect(chat.status).to_contain_text("Failed:")

    await expect(chat.answer.locator(".markdown")).to_have_text("One.")


async def test_a_refused_first_message_survives_a_reload_and_creates_no_conversation(
    chat: Chat, shared: Service
) -> None:
    before = await conversations(shared)
    await set_max_tokens(chat, 999_999)
    await chat.ask('Say "First."')
    await expect(chat.page).to_have_url(f"{chat.url}/")
    await expect(chat.status).to_contain_text("Failed:")
    assert await conversations(shared) == before

    await chat.page.reload()
    await expect(sent(chat)).to_have_text(['Say "First."'])
    await set_max_tokens(chat, 500)
    await chat.button("Try again").click()
    await chat.done()
    await expect(chat.answer.locator(".markdown")).to_have_text("First.")
    assert await stored(shared, opened(chat)) == ['Say "First."', "First."]
    assert await chat.page.evaluate("sessionStorage.getItem('artesian.unsent')") == "[]"


async def test_a_refused_message_can_be_discarded(chat: Chat) -> None:
    await set_max_tokens(chat, 999_999)
    await chat.ask("Never mind")
    await expect(chat.button("Try again")).to_be_visible()
    await chat.page.locator("article.user").hover()
    await chat.button("Discard the message").click()

    await expect(chat.page.locator("article")).to_have_count(0)
    await chat.page.reload()
    await expect(chat.page.locator("#welcome")).to_be_visible()


@pytest.mark.parametrize("path", ["/api/models", "/api/conversations?limit=30"])
async def test_a_message_that_is_sent_while_the_page_loads_is_answered(
    chromium: Browser, shared: Service, path: str
) -> None:
    async with (
        tab(chromium, shared.url) as chat,
        held(chat.page, f"{chat.url}{path}") as loading,
        held(chat.page, f"{chat.url}/api/conversations", "POST") as creating,
    ):
        await chat.page.goto(chat.url)
        await loading.arrived.wait()
        await chat.ask('Say "Early."')
        await creating.arrived.wait()
        loading.released.set()
        await expect(chat.page.locator("#model option").first).to_be_attached()
        creating.released.set()
        await chat.done()

        await expect(chat.answer.locator(".markdown")).to_have_text("Early.")
        assert await stored(shared, opened(chat)) == ['Say "Early."', "Early."]


async def test_a_message_that_is_sent_while_a_conversation_loads_is_added_to_it(chat: Chat, shared: Service) -> None:
    await say(chat, "One.")
    conversation = opened(chat)
    async with held(chat.page, f"{chat.url}/api/conversations/{conversation}") as loading:
        await chat.page.reload()
        await loading.arrived.wait()
        await chat.ask('Say "Two."')
        loading.released.set()
        await chat.done()

    await expect(sent(chat)).to_have_text(['Say "One."', 'Say "Two."'])
    assert await stored(shared, conversation) == ['Say "One."', "One.", 'Say "Two."', "Two."]


@pytest.mark.parametrize("path", ["/api/conversations", "/messages"])
async def test_a_message_is_sent_to_its_conversation_when_the_user_switches_to_another(
    chat: Chat, shared: Service, path: str
) -> None:
    await say(chat, "One.")
    first = opened(chat)
    await chat.button("New chat").click()
    async with held(chat.page, f"**{path}", "POST") as sending:
        await chat.ask(f'Say "By {path}."')
        await sending.arrived.wait()
        await chat.page.locator(f"a[data-id='{first}']").click()
        await expect(sent(chat)).to_have_text(['Say "One."'])
        sending.released.set()
        await chat.page.get_by_role("link", name=f'Say "By {path}."').click()

    await expect(chat.answer.locator(".markdown")).to_have_text(f"By {path}.")
    await expect(sent(chat)).to_have_text([f'Say "By {path}."'])
    assert await stored(shared, first) == ['Say "One."', "One."]


async def test_an_edit_does_not_follow_to_another_conversation(chat: Chat, shared: Service) -> None:
    await say(chat, "One.")
    first = opened(chat)
    await chat.box.fill("A draft")
    await edit_last(chat)
    await chat.button("Cancel").click()
    await expect(chat.box).to_have_value("A draft")
    await edit_last(chat)
    await chat.button("New chat").click()
    await say(chat, "New.")

    assert await stored(shared, first) == ['Say "One."', "One."]
    assert await stored(shared, opened(chat)) == ['Say "New."', "New."]


async def test_a_message_that_cannot_be_delivered_is_kept(chat: Chat, shared: Service) -> None:
    """Offline, too large, in conflict with another tab, reloaded during the request, deleted in another tab."""
    await say(chat, "One.")
    conversation = opened(chat)

    await chat.page.context.set_offline(offline=True)
    await chat.page.clock.install()
    await chat.ask('Say "Offline."', "Complete response")
    for _ in range(6):
        await chat.page.clock.run_for(20_000)
    await expect(chat.status).to_have_text("Failed: The service cannot be reached.")
    await chat.page.context.set_offline(offline=False)
    await chat.page.clock.resume()
    await chat.button("Try again").click()
    await chat.done()
    await expect(chat.answer.locator(".markdown")).to_have_text("Offline.")

    await chat.ask("x" * 150_000)
    await expect(chat.answer).to_contain_text("Try again")
    await expect(sent(chat)).to_have_count(3)
    await chat.page.locator("article.user").last.hover()
    await chat.button("Discard the message").last.click()

    messages = {"content": 'Say "Elsewhere, in another tab."', "stream": True}
    headers = {"X-Artesian-Fault": "gate@3"}
    async with shared.http.stream(
        "POST", f"/api/conversations/{conversation}/messages", json=messages, headers=headers
    ):
        await chat.ask('Say "Conflict."')
        await expect(chat.status).to_contain_text("running reply")
        await shared.bedrock.post("/_local/release")
    await chat.page.reload()
    await expect(sent(chat)).to_have_text(
        ['Say "One."', 'Say "Offline."', 'Say "Elsewhere, in another tab."', 'Say "Conflict."']
    )
    async with held(chat.page, "**/messages", "POST") as sending:
        await chat.button("Try again").last.click()
        await expect(chat.answer).to_have_attribute("aria-busy", "true")
        await chat.page.reload()
        await expect(sent(chat).last).to_have_text('Say "Conflict."')
        await expect(chat.answer).to_contain_text("before the service confirmed")
        assert sending is not None
    await chat.page.unroute_all(behavior="ignoreErrors")

    await shared.http.delete(f"/api/conversations/{conversation}")
    await chat.ask('Say "Deleted."')
    await expect(chat.status).to_contain_text("This conversation was deleted.")
    await expect(sent(chat)).to_have_text(['Say "Conflict."', 'Say "Deleted."'])
    await chat.button("Try again").last.click()
    await chat.done()
    await expect(chat.answer.locator(".markdown")).to_have_text("Deleted.")
    assert await stored(shared, opened(chat)) == ['Say "Deleted."', "Deleted."]


async def test_a_message_that_a_reload_interrupted_after_it_was_stored_is_shown_once(
    chat: Chat, shared: Service
) -> None:
    await say(chat, "One.")

    async def store(route: Route) -> None:
        await route.fetch()  # the service stores the message, the page never sees its response
        await chat.page.reload()

    await chat.page.route("**/messages", store)
    await chat.ask('Say "Two."')
    await expect(chat.answer.locator(".markdown")).to_have_text("Two.")
    await expect(sent(chat)).to_have_text(['Say "One."', 'Say "Two."'])
    assert await stored(shared, opened(chat)) == ['Say "One."', "One.", 'Say "Two."', "Two."]


async def test_images_that_are_too_large_to_store_are_requested_again(chat: Chat) -> None:
    drawn = """async () => {
      const { Outbox } = await import("/web/outbox.js");
      const image = { type: "image", media_type: "image/png", data: "A".repeat(4_100_000) };
      new Outbox().add({ conversation: null, mode: "stream", content: [image, { type: "text", text: "What is it?" }] });
    }"""
    await chat.page.evaluate(drawn)
    await chat.page.reload()

    await expect(chat.page.locator("article.user")).to_contain_text("What is it?")
    await expect(chat.page.locator("article.user")).to_contain_text("Attach them again.")


async def test_a_message_waits_for_the_key_and_a_limit_of_the_key_loses_none(chromium: Browser, tmp_path: Path) -> None:
    async with (
        limited(tmp_path, {"ann": {"requests_per_minute": 2}}, local_rate=2000) as service,
        tab(chromium, service.url) as chat,
    ):
        await chat.page.goto(chat.url)
        key = chat.page.get_by_role("textbox", name="API key")
        await key.fill("ann")
        await key.press("Enter")
        await expect(key).to_be_hidden()
        await chat.page.evaluate("sessionStorage.removeItem('artesian.key')")
        await chat.ask('Say "One."')
        await key.fill("ann")
        await key.press("Enter")
        await chat.done()
        await say(chat, "Two.")
        await chat.ask('Say "Three."')
        await expect(chat.status).to_contain_text("Failed:")
        await chat.page.reload()

        await expect(sent(chat)).to_have_text(['Say "One."', 'Say "Two."', 'Say "Three."'])
        await edit_last(chat)
        await expect(chat.box).to_have_value('Say "Three."')
