"""Markdown on the page: tables of cases, run in the browser."""

import pytest
from playwright.async_api import Page

from tests.page.browser import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRAW = """async text => {
  const { markdown } = await import('/web/markdown.js');
  return markdown(text).innerHTML;
}"""
GROW = """async text => {
  const { markdown, Markdown } = await import('/web/markdown.js');
  const growing = new Markdown();
  for (const character of text) { growing.append(character); growing.render(); }
  return [growing.element.innerHTML, markdown(text).innerHTML];
}"""
LINK = 'target="_blank" rel="noopener noreferrer nofollow"'

DONE = '<span class="box" role="img" aria-label="done">☑ </span>'
TO_DO = '<span class="box" role="img" aria-label="to do">☐ </span>'
TABLE = (
    '<div class="table" tabindex="0" role="region" aria-label="Table"><table><thead><tr>'
    '<th class="to-center">a</th><th class="to-right">b</th></tr></thead><tbody><tr>'
    '<td class="to-center">1</td><td class="to-right">2 | 3</td></tr></tbody></table></div>'
)

CASES = {
    "a paragraph": ("One\ntwo", "<p>One\ntwo</p>"),
    "two paragraphs": ("One\n\n\nTwo", "<p>One</p><p>Two</p>"),
    "a hard break": ("One  \ntwo", "<p>One<br>two</p>"),
    "headings below the page's own": ("# One\n## Two", "<h3>One</h3><h4>Two</h4>"),
    "emphasis": ("*a* **b** ***c***", "<p><em>a</em> <strong>b</strong> <strong><em>c</em></strong></p>"),
    "emphasis by lines": ("_d_ __e__ ~~f~~", "<p><em>d</em> <strong>e</strong> <del>f</del></p>"),
    "names with underscores are left alone": ("snake_case_name and 2*3*4", "<p>snake_case_name and 2<em>3</em>4</p>"),
    "stars that emphasise nothing": ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
    "code in a line": ("`a*b*` and ``c`d``", "<p><code>a*b*</code> and <code>c`d</code></p>"),
    "escapes": (r"\*a\* \<b\>", "<p>*a* &lt;b&gt;</p>"),
    "raw HTML is text": ("<b>x</b> &amp;", "<p>&lt;b&gt;x&lt;/b&gt; &amp;amp;</p>"),
    "a link": ("[a *b*](https://x.example/(y))", f'<p><a href="https://x.example/(y)" {LINK}>a <em>b</em></a></p>'),
    "a link with a title": ('[a](https://x.example "t")', f'<p><a href="https://x.example/" {LINK}>a</a></p>'),
    "an address": ("See http://x.io/a_b.", f'<p>See <a href="http://x.io/a_b" {LINK}>http://x.io/a_b</a>.</p>'),
    "an image is a link": ("![cat](http://x.io/c)", f'<p><a href="http://x.io/c" {LINK}>Image: cat</a></p>'),
    "a link to a script is its words": ("[a](javascript:b)", "<p><span>a</span></p>"),
    "a link to this service is its words": ("[a](/api/x)", "<p><span>a</span></p>"),
    "a list": ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
    "a list that begins elsewhere": ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    "a list in a list": ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
    "numbers with bullets in them": ("1. a\n   - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"),
    "a list whose items are paragraphs": ("- a\n\n  b\n- c", "<ul><li><p>a</p><p>b</p></li><li>c</li></ul>"),
    "a list right under a line": ("One:\n- a", "<p>One:</p><ul><li>a</li></ul>"),
    "a year is no list": ("In\n1984. It was", "<p>In\n1984. It was</p>"),
    "things to do": ("- [x] a\n- [ ] b", f"<ul><li>{DONE}a</li><li>{TO_DO}b</li></ul>"),
    "a quotation": ("> a\n> b\n\nc", "<blockquote><p>a\nb</p></blockquote><p>c</p>"),
    "a rule": ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
    "a table": ("| a | b |\n|:-:|--:|\n| 1 | 2 \\| 3 |", TABLE),
    "an unclosed emphasis is text": ("**a", "<p>**a</p>"),
}  # fmt: skip


@pytest.fixture
def page(chat: Chat) -> Page:
    return chat.page


async def test_each_kind_is_drawn(page: Page) -> None:
    drawn = {name: await page.evaluate(DRAW, text) for name, (text, _) in CASES.items()}

    assert drawn == {name: html for name, (_, html) in CASES.items()}


async def test_code_is_shown_as_it_is(page: Page) -> None:
    await page.evaluate(f"async () => document.body.append((await import('/web/markdown.js')).markdown({CODE!r}))")

    code = page.locator(".markdown .code")
    assert await code.locator("code").evaluate_all("all => all.map(code => code.textContent)") == [
        "if a < b:\n\n    pass",
        "open to the end",
    ]
    assert await code.locator(".code-header span").all_inner_texts() == ["python", "text"]


CODE = "```python\nif a < b:\n\n    pass\n```\n\n~~~\nopen to the end"


async def test_text_added_letter_by_letter_is_drawn_as_if_added_at_once(page: Page) -> None:
    text = "\n\n".join([*(text for text, _ in CASES.values()), CODE])

    grown, at_once = await page.evaluate(GROW, text)

    assert grown == at_once


async def test_unclosed_patterns_are_fast(page: Page) -> None:
    took = await page.evaluate(
        """async () => {
          const { markdown } = await import('/web/markdown.js');
          const hostile = ['**a', '`a ', '[a](', '![', '*a _b ~~c ', '> ', '- ', '| a ', '\\\\', 'http://a '];
          const begin = performance.now();
          for (const piece of hostile) markdown(piece.repeat(20000 / piece.length));
          return performance.now() - begin;
        }"""
    )

    assert took < 5000


async def test_a_long_answer_costs_a_small_part_of_each_frame(page: Page) -> None:
    words = (
        "Some **words** of an `answer` that continues, with a [link](http://x.io/) in it.\n\n- a point\n- another\n\n"
    )
    usual = await page.evaluate(
        """async ([words]) => {
          const { Reply } = await import('/web/reply.js');
          const reply = new Reply({});
          document.getElementById('transcript').append(reply.begin().element);
          const text = words.repeat(20000 / words.length);
          const took = [];
          for (let at = 0; at < text.length; at += 8) { // at 100 tokens a second about one frame
            reply.take('message', { text: text.slice(at, at + 8) });
            const begin = performance.now();
            reply.render();
            reply.element.getBoundingClientRect(); // the layout is part of it
            took.push(performance.now() - begin);
          }
          const last = took.slice(-took.length / 4).sort((one, other) => one - other);
          return last[Math.floor(last.length / 2)];
        }""",
        [words],
    )

    assert usual < 8  # milliseconds of 16, when it is as long as it gets; measured 0.5
