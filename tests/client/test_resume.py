"""Streams over connections that break: no text is lost or repeated, and the model is called once."""

import asyncio
from collections.abc import Sequence

import pytest

from artesian import Artesian, ArtesianError, AsyncArtesian, Connection, ConnectionLost, Event
from tests.client.cutting_proxy import cutting
from tests.client.scripted import HEAD, RECONNECT, START, STREAM_ID, answer, done, scripted, text
from tests.harness import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "Say ünïcode, 水 and 🚀"
AT_ONCE = [0.0] * 4


async def read(url: str, backoff_s: Sequence[float] = AT_ONCE, timeout_s: float = 60.0) -> tuple[str, list[Event]]:
    """Read a stream to its end."""
    artesian = AsyncArtesian(url, backoff_s=backoff_s, timeout_s=timeout_s)
    async with artesian, artesian.stream(QUESTION, max_tokens=12) as stream:
        events = [event async for event in stream]
    return stream.text, events


async def length_of_answer(service: Service) -> int:
    """Return the bytes of one whole response."""
    async with cutting(service.url) as proxy:
        await read(proxy.url)
        return proxy.passed


async def test_a_cut_at_any_byte_changes_no_text_and_calls_the_model_once(shared: Service) -> None:
    whole, _ = await read(shared.url)
    length = await length_of_answer(shared)
    asked = len(await shared.calls())
    cuts = range(0, length, 5)

    async with cutting(shared.url) as proxy, AsyncArtesian(proxy.url, backoff_s=AT_ONCE) as artesian:
        for cut in cuts:
            proxy.cuts.append(cut)
            answer = await artesian.generate(QUESTION, max_tokens=12)
            assert answer.text == whole, cut

    assert not proxy.cuts
    assert len(await shared.calls()) == asked + len(cuts)


async def test_a_stream_that_is_cut_many_times_arrives(shared: Service) -> None:
    whole, _ = await read(shared.url)
    async with cutting(shared.url, [0, 0, 1000, 950, 0, 950, 1000]) as proxy:
        said, events = await read(proxy.url)

    assert said == whole
    assert len(proxy.requests) == 8
    connection = [event for event in events if isinstance(event, Connection)]
    assert [event.state for event in connection].count("lost") == 7
    assert connection[-1].state == "restored"


async def test_before_the_first_event_the_request_is_repeated_with_its_key(shared: Service) -> None:
    asked = len(await shared.calls())
    async with cutting(shared.url, [0, 0]) as proxy:
        await read(proxy.url)

    keys = {line for request in proxy.requests for line in request.split(b"\r\n") if b"dempotency-" in line.lower()}
    assert [request.split(b" ")[0] for request in proxy.requests] == [b"POST"] * 3
    assert len(keys) == 1
    assert len(await shared.calls()) == asked + 1


async def test_the_synchronous_client_resumes_too(shared: Service) -> None:
    def read_all(url: str) -> str:
        with Artesian(url, backoff_s=AT_ONCE) as artesian:
            return artesian.generate(QUESTION, max_tokens=12).text

    whole, _ = await read(shared.url)
    for cut in (0, 400, 700, 1100):
        async with cutting(shared.url, [cut]) as proxy:
            assert await asyncio.to_thread(read_all, proxy.url) == whole


async def test_a_connection_that_stays_broken_raises_an_error_with_the_position(shared: Service) -> None:
    async with cutting(shared.url, [900, 0, 0, 0, 0]) as proxy:
        with pytest.raises(ConnectionLost) as lost:
            await read(proxy.url)

    assert lost.value.retryable
    assert lost.value.stream_id
    assert len(proxy.requests) == 5
    async with AsyncArtesian(shared.url) as artesian, artesian.attach(lost.value.stream_id) as stream:
        whole = await stream.answer()
    assert whole.text.startswith(lost.value.text)


async def test_the_service_sets_the_reconnection_delay() -> None:
    async with scripted(HEAD + b"retry: 4000\n" + START) as server:
        artesian = AsyncArtesian(server.url)
        async with artesian, artesian.stream("Hi") as stream:
            events = [await anext(stream), await anext(stream)]
            stream.detach()

    assert events[1] == Connection("lost", 1, 4, 4.0, "The connection was closed before the answer's end.")


async def test_a_given_backoff_overrides_the_services() -> None:
    async with scripted(HEAD + b"retry: 4000\n" + START, HEAD + done(2)) as server:
        _, events = await read(server.url, backoff_s=[0.0, 0.001])

    assert [event.delay for event in events if isinstance(event, Connection) and event.state == "lost"] == [0.0]


async def test_the_delays_grow_and_the_attempts_end(shared: Service) -> None:
    async with cutting(shared.url) as proxy:
        proxy.refusing = True
        artesian = AsyncArtesian(proxy.url, backoff_s=[0.0, 0.001, 0.002])
        with pytest.raises(ConnectionLost, match="broke"):
            await artesian.generate("Hi")
        await artesian.close()

    assert len(proxy.requests) == 4


async def test_a_reconnect_event_leads_to_the_next_server() -> None:
    async with scripted(
        HEAD + START + text(2, "one ") + RECONNECT + text(3, "2"), HEAD + text(3, "two") + done(4)
    ) as server:
        said, events = await read(server.url)

    assert said == "one two"
    assert f"last-event-id: {STREAM_ID}-2".encode() in server.requests[1].lower()
    assert [event.state for event in events if isinstance(event, Connection)] == ["lost", "restored"]


async def test_repeated_events_are_skipped_and_a_gap_is_requested_again() -> None:
    async with scripted(
        HEAD + START + text(2, "one ") + text(2, "one ") + text(4, "three"),
        HEAD + text(3, "two ") + text(4, "three") + done(5),
    ) as server:
        said, _ = await read(server.url)

    assert said == "one two three"
    assert f"last-event-id: {STREAM_ID}-2".encode() in server.requests[1].lower()


@pytest.mark.parametrize(
    "refusal",
    [
        answer("503 Service Unavailable", b"<html>", content_type="text/html"),
        answer("502 Bad Gateway"),
        answer("503 Service Unavailable", b'{"code":"draining","error":"Bye.","retryable":true}', retry_after="1"),
    ],
    ids=["a proxy without a server", "a proxy with an empty response", "a server that is draining"],
)
async def test_a_proxys_error_is_retried(refusal: bytes) -> None:
    async with scripted(refusal, HEAD + START + text(2, "one "), refusal, HEAD + text(3, "two") + done(4)) as server:
        said, _ = await read(server.url)

    assert said == "one two"


@pytest.mark.parametrize(
    "nonsense",
    [
        answer("200 OK", b"<html>", content_type="text/html"),
        answer("404 Not Found", b"nothing here"),
        answer("500 Oops", b'["code"]', content_type="application/json"),
        HEAD + b"data: {nonsense\n\n",
        HEAD + b"data: 7\n\n",
        HEAD + b'data: {"done":true}\n\n',
    ],
    ids=["a page", "a 404", "a list", "no JSON", "a number", "an end without a reason"],
)
async def test_a_response_that_is_not_from_artesian_raises_an_error(nonsense: bytes) -> None:
    async with scripted(nonsense) as server:
        with pytest.raises(ArtesianError) as failed:
            await read(server.url)

    assert failed.value.code == "unexpected_answer"
    assert len(server.requests) == 1


async def test_other_line_separators_are_text_and_unknown_events_are_passed_on() -> None:
    said = "a\u2028b\u2029c\u0085d"
    new = b'id: %b-3\nevent: hologram\ndata: {"depth":3}\n\n' % STREAM_ID.encode()
    whole = HEAD + START + text(2, said) + new + b": keep-alive\n" + done(4)
    async with scripted([whole[n : n + 1] for n in range(len(whole))]) as server:
        got, events = await read(server.url)

    assert got == said
    assert [type(event).__name__ for event in events] == ["Start", "Text", "Other", "Done"]


async def test_a_silent_connection_is_reconnected(shared: Service) -> None:
    async with cutting(shared.url, [600]) as proxy:
        proxy.holding = True
        said, events = await read(proxy.url, timeout_s=0.1)

    assert said == (await read(shared.url))[0]
    assert any(isinstance(event, Connection) and "in time" in event.reason for event in events)
