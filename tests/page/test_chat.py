"""The page in use: sending, stopping, reloading."""

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, FilePayload, expect

from tests.harness import Service, running
from tests.page.browser import Chat, tab
from tests.page.wire import wire
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "Tell me in detail about wells, in 400 words"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_an_answer_is_streamed(chat: Chat) -> None:
    await chat.order("gate@3")
    await chat.ask('Say "One word after another, and more of them to come."')
    await expect(chat.answer).to_contain_text("One")
    await expect(chat.button("Stop")).to_be_enabled()
    await expect(chat.button("Stream")).to_be_disabled()

    await chat.page.request.post(f"{await backend(chat)}/_local/release")
    await chat.done()

    await expect(chat.answer.locator(".markdown")).to_have_text("One word after another, and more of them to come.")
    await expect(chat.page.locator("#figures")).to_contain_text("first token")
    await expect(chat.button("Stop")).to_be_disabled()


async def backend(chat: Chat) -> str:
    ready = await (await chat.page.request.get(f"{chat.url}/readyz")).json()
    url: str = ready["backend"]["url"]
    return url


async def test_a_complete_response_arrives_at_once(chat: Chat) -> None:
    await chat.ask('Say "All at once."', "Complete response")
    await chat.done()

    await expect(chat.answer.locator(".markdown")).to_have_text("All at once.")


async def test_enter_sends_and_shift_enter_starts_a_line(chat: Chat) -> None:
    await chat.box.press_sequentially('Say "Yes"')
    await chat.box.press("Shift+Enter")
    await chat.box.press_sequentially("please")
    await chat.box.press("Enter")
    await chat.done()

    await expect(chat.page.locator("article.user p")).to_have_text('Say "Yes"\nplease')


@pytest.mark.parametrize("how", ["Stream", "Complete response"])
async def test_stop_ends_the_answer_and_keeps_its_text(chat: Chat, service: Service, how: str) -> None:
    await chat.order("stall@6")
    await chat.ask(LONG, how)  # type: ignore[arg-type]  # one of the two names
    if how == "Stream":
        await expect(chat.answer.locator(".markdown")).not_to_be_empty()
    await chat.button("Stop").click()

    await expect(chat.status).to_have_text("Stopped")
    await expect(chat.answer).to_contain_text("Stopped.")
    await expect(chat.button("Stream")).to_be_enabled()
    assert (await service.calls())[-1]["state"] == "closed"


async def test_a_page_reloaded_during_a_stream_shows_it_and_continues(chat: Chat, service: Service) -> None:
    await chat.order("gate@6")
    await chat.ask('Say "These are the words that were said before and after the page was loaded again."')
    await expect(chat.answer).to_contain_text("These are")

    await chat.page.reload()
    await expect(chat.answer).to_contain_text("These are")
    await expect(chat.button("Stop")).to_be_enabled()
    await service.bedrock.post("/_local/release")
    await chat.done()

    await expect(chat.answer.locator(".markdown")).to_have_text(
        "These are the words that were said before and after the page was loaded again."
    )
    await expect(chat.page.locator("article")).to_have_count(2)
    assert len(await service.calls()) == 1


async def test_a_second_tab_follows_the_same_answer(chat: Chat, chromium: Browser, service: Service) -> None:
    await chat.order("gate@6")
    await chat.ask('Say "Both of the tabs show every word of this."')
    await expect(chat.answer).to_contain_text("Both of")

    async with tab(chromium, service.url) as other:
        await other.load(chat.page.url.removeprefix(service.url))
        await expect(other.answer).to_contain_text("Both of")
        await service.bedrock.post("/_local/release")
        await chat.done()
        await other.done()
        texts = [await each.answer.locator(".markdown").inner_text() for each in (chat, other)]

    assert texts == ["Both of the tabs show every word of this."] * 2
    assert len(await service.calls()) == 1


async def test_a_cut_connection_is_restored_without_loss(chromium: Browser, service: Service) -> None:
    said = "Not one of these words is lost or said twice when the connection breaks in the middle of them."
    async with wire(service.url) as way, tab(chromium, way.url) as chat:
        await chat.load()
        await chat.order("gate@6")
        await chat.ask(f'Say "{said}"')
        await expect(chat.answer).to_contain_text("Not one of")
        way.cut()
        await expect(chat.status).to_contain_text("Connection lost. Reconnecting (2)")
        await chat.picture("reconnecting")
        way.mend()
        await expect(chat.status).to_contain_text("Connection restored")
        await service.bedrock.post("/_local/release")
        await chat.done()

        await expect(chat.answer.locator(".markdown")).to_have_text(said)
        assert chat.strangers == []
    assert len(await service.calls()) == 1


@pytest.mark.parametrize("over", [False, True], ids=["while the answer is running", "after the answer"])
async def test_a_connection_that_stays_cut_is_a_failure_that_can_be_retried(
    chromium: Browser, service: Service, *, over: bool
) -> None:
    async with wire(service.url) as way, tab(chromium, way.url) as chat:
        await chat.load()
        await chat.page.clock.install()
        await chat.order("gate@6")
        await chat.ask('Say "At last it came through."')
        await expect(chat.answer).to_contain_text("At last")
        way.cut()

        async def given_up() -> bool:
            await chat.page.clock.run_for(5_000)
            return "Failed" in await chat.status.inner_text()

        await eventually(given_up)
        await expect(chat.answer).to_contain_text("The connection was lost and could not be restored.")
        way.mend()
        if over:
            await service.bedrock.post("/_local/release")
            await eventually(lambda: _closed(service))
        await chat.button("Try again").click()
        if not over:
            await expect(chat.button("Stop")).to_be_enabled()
            await service.bedrock.post("/_local/release")

        await chat.done()
        await expect(chat.answer.locator(".markdown")).to_have_text("At last it came through.")
    assert len(await service.calls()) == 1


async def _closed(service: Service) -> bool:
    return bool((await service.calls())[-1]["state"] == "closed")


async def test_a_failure_has_a_reason_and_try_again_sends_the_message_again(
    chromium: Browser, service: Service
) -> None:
    async with tab(chromium, service.url) as chat:
        await chat.load()
        await chat.order("http=AccessDeniedException")
        await chat.ask('Say "Now it works."')
        await expect(chat.answer).to_contain_text("You don't have access to the model")
        await expect(chat.status).to_contain_text("Failed: You don't have access")
        await chat.picture("failed")
        await chat.order(None)
        await chat.button("Try again").click()
        await chat.done()

        await expect(chat.answer.locator(".markdown")).to_have_text("Now it works.")
        await expect(chat.page.locator("article.user")).to_have_count(1)


async def test_an_unsent_message_is_sent_when_the_database_is_available_again(
    chromium: Browser, tmp_path: Path
) -> None:
    folder = tmp_path / "later"
    address = f"sqlite+aiosqlite:///{folder}/a.db"
    async with running(database_url=address) as service, tab(chromium, service.url) as chat:
        await chat.load()
        await chat.ask('Say "There it is."')
        await expect(chat.answer).to_contain_text("The database is unavailable. Retry in a few seconds.")
        folder.mkdir()
        await eventually(lambda: _made(service))
        await chat.button("Try again").click()
        await chat.done()

        await expect(chat.answer.locator(".markdown")).to_have_text("There it is.")
        await expect(chat.page.locator("article")).to_have_count(2)


async def _made(service: Service) -> bool:
    return (await service.http.get("/api/conversations")).status_code == 200


async def test_an_unknown_conversation_is_reported_and_a_new_one_starts(chromium: Browser, service: Service) -> None:
    async with tab(chromium, service.url) as chat:
        await chat.load("/#" + "0" * 32)
        await expect(chat.status).to_have_text("Failed: Unknown conversation.")
        await chat.ask('Say "Again."')
        await chat.done()

        await expect(chat.answer.locator(".markdown")).to_have_text("Again.")


async def test_a_truncated_answer_stays_with_its_reason(chat: Chat) -> None:
    await chat.order("exception=validationException@6")
    await chat.ask(LONG)

    await expect(chat.status).to_contain_text("Failed:")
    await expect(chat.answer.locator(".markdown")).not_to_be_empty()
    await expect(chat.button("Try again")).to_be_visible()


async def test_an_answer_is_regenerated(chat: Chat, service: Service) -> None:
    await chat.ask('Say "Again."')
    await chat.done()
    await chat.button("Regenerate").click()

    await eventually(lambda: _calls(service, 2))
    await chat.done()
    await expect(chat.page.locator("article")).to_have_count(2)
    await expect(chat.answer.locator(".markdown")).to_have_text("Again.")


async def _calls(service: Service, number: int) -> bool:
    return len(await service.calls()) >= number


async def test_an_edited_message_is_sent_again(chat: Chat) -> None:
    for said in ('Say "First."', 'Say "Second."'):
        await chat.ask(said)
        await expect(chat.answer).to_contain_text(said[5:-1])
        await chat.done()
    await chat.page.locator("article.user").first.hover()
    await chat.button("Edit and send again").first.click()
    await expect(chat.box).to_have_value('Say "First."')
    await chat.ask('Say "Better."')
    await expect(chat.answer.locator(".markdown")).to_have_text("Better.")

    await expect(chat.page.locator("article")).to_have_count(2)
    await chat.page.reload()
    await expect(chat.answer.locator(".markdown")).to_have_text("Better.")
    await expect(chat.page.locator("article")).to_have_count(2)


async def test_an_image_is_sent_and_shown(chat: Chat, service: Service) -> None:
    await chat.page.locator("#file").set_input_files(FilePayload(name="a.png", mimeType="image/png", buffer=PIXEL))
    await expect(chat.page.locator("#attached img")).to_be_visible()
    await chat.ask("What is in this image?")
    await chat.done()

    shown = chat.page.locator("article.user img")
    assert await shown.evaluate("image => image.naturalWidth") == 1
    await chat.page.reload()
    await expect(shown).to_be_visible()
    conversation = chat.page.url.partition("#")[2]
    kept = (await service.http.get(f"/api/conversations/{conversation}")).json()["messages"][0]["content"]
    assert [block["type"] for block in kept] == ["image", "text"]


async def test_a_large_image_is_scaled_down_first(chat: Chat, service: Service) -> None:
    drawn = await chat.page.evaluate(
        "() => { const c = document.createElement('canvas'); c.width = 4000; c.height = 2000;"
        "c.getContext('2d').fillRect(0, 0, 4000, 2000); return c.toDataURL('image/png'); }"
    )
    picture = base64.b64decode(drawn.partition(",")[2])
    await chat.page.locator("#file").set_input_files(FilePayload(name="b.png", mimeType="image/png", buffer=picture))
    await expect(chat.page.locator("#attached img")).to_be_visible()

    size = await chat.page.locator("#attached img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert size == [1568, 784]
    assert service.url == chat.url


async def test_reasoning_is_collapsed_and_can_be_opened(chat: Chat) -> None:
    await chat.button("Settings").click()
    await chat.page.get_by_label("Reasoning").select_option("low")
    await chat.button("Done").click()
    await chat.ask("Think about wells, briefly")
    await chat.done()

    fold = chat.answer.locator("details.reasoning")
    await expect(fold.locator("pre")).to_be_hidden()
    await fold.locator("summary").click()
    await expect(fold.locator("pre")).not_to_be_empty()
    await chat.picture("reasoning")


async def test_settings_are_sent(chat: Chat, service: Service) -> None:
    await chat.button("Settings").click()
    await chat.page.get_by_label("System prompt").fill("Be brief.")
    await chat.page.get_by_label("History length").fill("4")
    await chat.page.get_by_label("Model", exact=True).select_option("amazon.nova-lite-v1:0", force=True)
    await chat.picture("settings")
    await chat.button("Done").click()
    await chat.ask("Hello")
    await chat.done()

    conversation = (await service.http.get("/api/conversations")).json()["conversations"][0]
    assert (conversation["system"], conversation["max_messages"]) == ("Be brief.", 4)
    assert (await service.calls())[-1]["model"] == "amazon.nova-lite-v1:0"


async def test_conversations_are_listed_renamed_and_deleted(chat: Chat, service: Service) -> None:
    for said in ("About wells", "About tea"):
        await chat.button("New chat").click()
        await chat.ask(said)
        await chat.done()
    links = chat.page.get_by_role("navigation").get_by_role("listitem")
    await expect(links).to_have_text(["About tea", "About wells"])

    await links.last.get_by_role("link").click()
    await expect(chat.page.locator("article.user")).to_contain_text("About wells")
    await links.last.hover()
    await links.last.get_by_role("button", name="Rename").click()
    await chat.page.get_by_role("textbox", name="New title").fill("Wells")
    await chat.page.get_by_role("textbox", name="New title").press("Enter")
    await expect(chat.page).to_have_title("Wells · Artesian")

    await links.last.hover()
    await links.last.get_by_role("button", name="Delete").click()
    await chat.button("Delete it").click()
    await expect(links).to_have_text(["About tea"])
    await expect(chat.page.locator("article")).to_have_count(0)
    listed = (await service.http.get("/api/conversations")).json()["conversations"]
    assert [conversation["title"] for conversation in listed] == ["About tea"]


async def test_the_answer_can_be_copied(chat: Chat) -> None:
    await chat.ask('Say "Copy **this**."')
    await chat.done()
    await chat.button("Copy the answer").click()

    await expect(chat.button("Copy the answer")).to_have_attribute("title", "Copied")
    assert await chat.page.evaluate("navigator.clipboard.readText()") == "Copy **this**."


async def test_a_process_that_died_during_an_answer_is_reported(chromium: Browser, tmp_path: Path) -> None:
    values: dict[str, Any] = {"database_url": f"sqlite+aiosqlite:///{tmp_path}/a.db", "lease": 0.5}
    async with running(**values) as service, wire(service.url) as way, tab(chromium, way.url) as chat:
        await chat.load()
        await chat.order("stall@6")
        await chat.ask(LONG)
        await expect(chat.answer.locator(".markdown")).not_to_be_empty()
        conversation = chat.page.url.partition("#")[2]
    async with running(**values) as service, tab(chromium, service.url) as chat:
        await chat.load(f"/#{conversation}")
        await expect(chat.answer).to_contain_text("shut down before the answer was complete")
        await chat.button("Try again").click()
        await chat.done()
        await expect(chat.page.locator("article")).to_have_count(2)
