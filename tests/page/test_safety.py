"""A model's text cannot harm its reader, and the page is accessible."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from tests.access.holders import held, revoke
from tests.harness import Service
from tests.page.browser import Chat, tab
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = """# Look <script>window.harmed = 1</script>

<img src='http://evil.example/a.png' onerror='window.harmed = 2'>
![a picture](http://evil.example/b.png) ![](data:text/html,<script>window.harmed=3</script>)
[click](javascript:window.harmed=4) [data](data:text/html,x) <a href='javascript:1'>raw</a>
<javascript:window.harmed=5> http://evil.example/c?d='e <iframe src='http://evil.example/'></iframe>
<style>@import url(http://evil.example/f.css)</style> <svg onload='window.harmed=6'>

```js' onmouseover='window.harmed=7
</code></pre><script>window.harmed = 8</script>
```

| a | b |
| - | - |
| <b onclick='window.harmed=9'>x</b> | [y](vbscript:z) |

- [ ] <input autofocus onfocus='window.harmed=10'>
"""


async def test_hostile_markdown_is_harmless(chat: Chat) -> None:
    await chat.ask(f'Repeat this: "{HOSTILE}"')
    await chat.done()

    assert await chat.page.evaluate("window.harmed") is None
    answer = chat.answer.locator(".body")
    await expect(answer).to_contain_text("<script>window.harmed = 1</script>")
    await expect(
        answer.locator("script, img, iframe, style, svg:not(.icon), input, [onclick], [onerror]")
    ).to_have_count(0)
    addresses = await answer.locator("a").evaluate_all("links => links.map(link => [link.protocol, link.rel])")
    assert {protocol for protocol, _ in addresses} == {"http:"}
    assert all("noopener" in rel and "noreferrer" in rel for _, rel in addresses)


async def test_the_pages_policy_allows_no_script_but_its_own(chat: Chat, service: Service) -> None:
    for path in ("/", "/web/app.js", "/web/style.css"):
        policy = (await service.http.get(path)).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    html = (await service.http.get("/")).text
    assert "<script>" not in html
    assert "style=" not in html
    assert "http://" not in html
    assert "https://" not in html
    await expect(chat.box).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
async def test_axe_finds_no_serious_violation(chromium: Browser, service: Service, *, phone: bool, dark: bool) -> None:
    name = f"{'phone' if phone else 'desk'}-{'dark' if dark else 'light'}"
    async with tab(chromium, service.url, phone=phone, dark=dark) as chat:
        await chat.load()
        await _look(chat, f"{name}-welcome")
        await chat.order("gate@9")
        await chat.ask("Tell me about wells with a list, a table and code")
        await expect(chat.answer.locator(".markdown")).not_to_be_empty()
        await _look(chat, f"{name}-streaming")
        await service.bedrock.post("/_local/release")
        await chat.done()
        await _look(chat, f"{name}-answered")
        await chat.order("http=AccessDeniedException")
        await chat.ask("And more?", "Complete response")
        await expect(chat.button("Try again")).to_be_visible()
        await _look(chat, f"{name}-failed")
        await chat.button("Settings").click()
        await _look(chat, f"{name}-settings")
        await chat.button("Done").click()
        if phone:
            await chat.button("Conversations").click()
            await expect(chat.page.get_by_role("navigation")).to_be_visible()
            await chat.page.evaluate(  # colours are not final during a transition
                "Promise.all(document.getAnimations().map(animation => animation.finished))"
            )
            await _look(chat, f"{name}-list")


async def _look(chat: Chat, name: str) -> None:
    await chat.picture(name)
    found: Any = await Axe().run(chat.page)
    serious = [each for each in found.response["violations"] if each["impact"] in {"serious", "critical"}]
    assert serious == [], name


async def test_a_key_is_requested_once_and_stored_in_the_tab(chromium: Browser, tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}}, local_rate=200) as [ann], tab(chromium, ann.service.url) as chat:
        await chat.page.goto(chat.url)
        field = chat.page.get_by_role("textbox", name="API key")
        await field.fill("wrong")
        await field.press("Enter")
        await expect(chat.page.get_by_text("That key was not accepted. Invalid API key.")).to_be_visible()
        await chat.picture("key")
        await field.fill(ann.key)
        await field.press("Enter")
        await expect(field).to_be_hidden()  # the dialog for the key covers the page
        await chat.ask('Say "Let in."')
        await chat.done()
        await chat.page.reload()

        await expect(chat.answer.locator(".markdown")).to_have_text("Let in.")
        assert ann.key not in chat.page.url
        assert await chat.page.evaluate("JSON.stringify(localStorage) + document.cookie") == "{}"
        assert (await ann.ask("GET", "/api/conversations")).json()["conversations"] != []


async def test_a_revoked_key_is_requested_again_and_can_be_removed(chromium: Browser, tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}, "bob": {}}) as [ann, bob], tab(chromium, ann.service.url) as chat:
        await chat.page.goto(chat.url)
        field = chat.page.get_by_role("textbox", name="API key")
        await field.fill(ann.key)
        await field.press("Enter")
        await expect(chat.page.locator("#model option").first).to_be_attached()
        revoke(tmp_path / "keys.json", "ann")

        async def refused() -> bool:
            return bool((await ann.ask("GET", "/api/models")).status_code == 401)

        await eventually(refused)
        await chat.ask('Say "Still here."')
        await expect(chat.page.get_by_text("This API key was revoked.")).to_be_visible()
        await field.fill(bob.key)
        await field.press("Enter")
        await chat.done()
        await chat.button("Settings").click()
        await chat.button("Forget the key").click()

        await expect(field).to_be_visible()
        assert await chat.page.evaluate("sessionStorage.getItem('artesian.key')") is None


async def test_nothing_is_wider_than_a_phone(chromium: Browser, service: Service) -> None:
    async with tab(chromium, service.url, phone=True) as chat:
        for width in (390, 320):
            await chat.page.set_viewport_size({"width": width, "height": 700})
            await chat.load()
            await chat.ask('Say "A-very-long-word-' + "without-any-end-" * 20 + '"')
            await chat.done()

            assert await chat.page.evaluate("document.documentElement.scrollWidth") <= width
            for locator in await chat.page.locator("#composer button:visible").all():
                place = await locator.bounding_box()
                assert place
                assert place["x"] >= 0
                assert place["x"] + place["width"] <= width


async def test_the_page_works_with_the_keyboard_only(chat: Chat) -> None:
    await chat.page.keyboard.type('Say "Typed."')
    await chat.page.keyboard.press("Tab")
    names = []
    for _ in range(4):
        names.append(
            await chat.page.evaluate("document.activeElement.textContent.trim() || document.activeElement.ariaLabel")
        )
        await chat.page.keyboard.press("Tab")

    assert names[:3] == ["Attach an image", "Complete response", "Stream"]
    await chat.box.focus()
    await chat.page.keyboard.press("Enter")
    await chat.done()
    await expect(chat.answer.locator(".markdown")).to_have_text("Typed.")


WITH_A_TICKET = """
async (key) => {
  const answer = await fetch("/api/tickets", { method: "POST", headers: { Authorization: `Bearer ${key}` } });
  const { ticket } = await answer.json();
  const source = new EventSource(`/api/generate?prompt=Say+%22Let+in.%22&ticket=${ticket}`);
  let text = "";
  let refusal = null;
  await new Promise((resolve) => {
    source.onmessage = (event) => {
      const data = JSON.parse(event.data);
      text += data.text ?? "";
      refusal = data.error ?? null;
    };
    source.onerror = () => source.readyState === EventSource.CLOSED && resolve(); // it reconnected and got 204
  });
  return { text, refusal };
}
"""


async def test_an_event_source_with_a_ticket_stops_at_the_end(chromium: Browser, tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}}) as [ann], tab(chromium, ann.service.url) as chat:
        await chat.page.goto(chat.url)

        answered = await chat.page.evaluate(WITH_A_TICKET, ann.key)

        assert answered == {"text": "Let in.", "refusal": None}
        assert len(await ann.service.calls()) == 1
