"""What a body costs in memory: at most twelve times its size while it is parsed, and four times afterwards."""

import asyncio
import base64
import gc
import json
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from service.dialects import anthropic_messages, openai_chat, openai_responses
from service.dialects.media import data_url
from service.dialects.native.request import Generate, to_request
from service.errors import InvalidRequest
from service.http import body
from service.http.direct import GENERATE
from tests.hostile.test_bounds import PNG, SURFACES, picture, question

Build = Callable[[Any], Any]
PARSERS: dict[str, Build] = {
    "/v1/chat/completions": openai_chat.parse,
    "/v1/responses": openai_responses.parse,
    "/v1/messages": anthropic_messages.parse,
}


def arriving(text: bytes) -> Request:
    """A request whose body comes in pieces of 64 KB; each piece is made when it is asked for."""
    pieces = iter(range(0, len(text), 65_536))

    async def receive() -> dict[str, Any]:
        at = next(pieces)
        more = at + 65_536 < len(text)
        return {"type": "http.request", "body": text[at : at + 65_536], "more_body": more}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def parsed(path: str, request: Request) -> Any:
    """Read a body as the route of a path does; the value is what is kept of it."""
    if path in PARSERS:
        return (await body.read(request, PARSERS[path]))[0].request
    given = await body.read_as(request, GENERATE)
    assert isinstance(given, Generate)
    return to_request(given, given.turns(), default_model_id="m", default_api="auto")


def conversation(path: str, *content: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    turns = [{"role": roles[number % 2], "content": said} for number, said in enumerate(content)]
    if path == "/v1/responses":
        return {"input": turns}
    return {"messages": turns} | ({"max_tokens": 100} if path == "/v1/messages" else {})


BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "an image": lambda path: question(path, picture(path, "image/png", PNG + b"x" * 1_200_000)),
    "a text": lambda path: conversation(path, "a" * 1_200_000),
    "a text with one wide character": lambda path: conversation(path, "a" * 1_200_000 + "😀"),
    "many messages": lambda path: conversation(path, *["x" * 100] * 8_000),
}


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", SURFACES)
async def test_a_body_costs_a_small_multiple_of_its_size(path: str, make: Callable[[str], dict[str, Any]]) -> None:
    text = json.dumps(make(path), ensure_ascii=False).encode()
    gc.collect()
    tracemalloc.start()
    try:
        kept = await parsed(path, arriving(text))
        await body.run(body.INLINE + 1, lambda: None)  # the thread has let go of what it has built
        gc.collect()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept
    assert len(text) > body.INLINE
    assert peak < 12 * len(text)
    assert held < 4.2 * len(text)  # a wide character makes a text of CPython's four bytes a character


async def test_large_bodies_are_parsed_one_at_a_time_and_off_the_loop() -> None:
    loop_thread, running, most = threading.get_ident(), 0, 0
    threads: set[int] = set()
    both_sent = threading.Event()

    def build(_: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        threads.add(threading.get_ident())
        both_sent.wait(5)
        running -= 1

    large = b'{"a":"%b"}' % (b"x" * body.INLINE)
    reading = [asyncio.create_task(body.read(arriving(large), build)) for _ in range(3)]
    small, _ = await body.read(arriving(b'{"a":1}'), lambda given: (given, threading.get_ident()))
    both_sent.set()
    await asyncio.gather(*reading)

    assert small == ({"a": 1}, loop_thread)  # not behind the large ones
    assert most == 1
    assert loop_thread not in threads


@pytest.mark.parametrize("url", ["data:" + ";" * 1_000_000, "data:" + ";a" * 500_000 + ";base64", ";" * 1_000_000])
def test_a_data_url_costs_no_more_than_itself(url: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match="data URL"):
            data_url(url, "image_url")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 4 * len(url)


def test_parameters_of_a_data_url_are_passed_over_and_white_space_is_taken_out() -> None:
    encoded = base64.b64encode(b"hello world").decode()

    assert data_url(f"data:Text/Plain;charset=utf-8;base64,{encoded}", "f") == ("text/plain", encoded)
    assert data_url(f"data:text/plain;base64,{encoded[:4]}\r\n {encoded[4:]}\n", "f") == ("text/plain", encoded)
