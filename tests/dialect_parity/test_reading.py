"""One log underneath: a stream begun in one format is read in another, come back to, attached to, and left."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.dialect_parity import asks, sdks
from tests.dialect_parity.sdks import HAIKU
from tests.harness import Json, Service, fault_header, running, text_of
from tests.native.gates import call_of, release
from tests.waiting import eventually

PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
BODIES: dict[str, Json] = {
    "chat": asks.CHAT["reasoning and calls"],
    "responses": asks.RESPONSES["reasoning and calls"],
    "messages": asks.MESSAGES["reasoning and calls"],
}


@asynccontextmanager
async def opened(
    service: Service, surface: str, body: Json | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[httpx.Response]:
    """Open a stream on a surface; leaving the block hangs up."""
    sent = (body or BODIES[surface]) | {"stream": True}
    async with service.http.stream("POST", PATHS[surface], json=sent, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        yield response


async def streamed(
    service: Service, surface: str, body: Json | None = None, headers: dict[str, str] | None = None
) -> tuple[str, bytes]:
    """Read a stream to its end: its id, and all of its bytes."""
    async with opened(service, surface, body, headers) as response:
        return response.headers["x-stream-id"], await response.aread()


async def read(service: Service, stream_id: str, form: str, **query: Any) -> bytes:
    response = await service.http.get(f"/api/streams/{stream_id}", params={"format": form, **query})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return response.content


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("form", PATHS)
@pytest.mark.parametrize("surface", PATHS)
async def test_a_stream_begun_in_one_format_is_read_in_another(shared: Service, surface: str, form: str) -> None:
    """Judged by the SDK of the other format, which gets the stream by a changed address."""
    stream_id, _ = await streamed(shared, surface)
    expected = await whole(shared, form)

    assert await accumulated(shared, stream_id, form) == expected


async def whole(service: Service, form: str) -> Any:
    ask = {"chat": sdks.chat, "responses": sdks.responses, "messages": sdks.messages}[form]
    return ours(await ask(service, BODIES[form]))


async def accumulated(service: Service, stream_id: str, form: str) -> Any:
    async def hook(request: Any) -> None:
        request.method, request.url = "GET", type(request.url)(f"{service.url}/api/streams/{stream_id}?format={form}")
        request.headers["Accept"] = "text/event-stream"

    if form == "messages":
        async with sdks.anthropic(service) as client:
            client._client.event_hooks = {"request": [hook]}  # noqa: SLF001 - the SDK's own transport has no public door
            async with client.messages.stream(**BODIES[form]) as stream:
                return ours(sdks.plain(await stream.get_final_message()))
    async with sdks.openai(service) as openai:
        openai._client.event_hooks = {"request": [hook]}  # noqa: SLF001 - as above
        if form == "responses":
            async with openai.responses.stream(**BODIES[form]) as events:
                return ours(sdks.plain([event async for event in events][-1].response))  # type: ignore[union-attr]
        state = ChatCompletionStreamState[None]()
        chunks: Any = await openai.chat.completions.create(**BODIES[form], stream=True)
        async for chunk in chunks:
            state.handle_chunk(chunk)
        return ours(sdks.plain(state.current_completion_snapshot))


def ours(answer: Json) -> Json:
    """Leave out what repeats the request, or was not asked for: a reader in another format has said nothing."""
    return {
        name: value for name, value in answer.items() if name in {"choices", "output", "content", "stop_reason", "role"}
    }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("form", ["chat", "responses", "messages"])
async def test_a_native_stream_is_read_in_any_format(shared: Service, form: str) -> None:
    events = await shared.stream(prompt="Tell me about wells.")
    told = await read(shared, events[0].data["stream_id"], form)

    assert "".join(map(said, payloads(told))) == text_of(events)


def payloads(sent: bytes) -> list[Json]:
    lines = [line.removeprefix(b"data: ") for line in sent.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line) for line in lines]


def said(event: Json) -> str:
    """Find the text in an event of any of the three formats."""
    match event:
        case {"choices": [{"delta": {"content": str(text)}}]}:
            return text
        case {"type": "response.output_text.delta", "delta": str(text)}:
            return text
        case {"type": "content_block_delta", "delta": {"text": str(text)}}:
            return text
    return ""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("surface", PATHS)
async def test_a_stream_is_read_again_as_it_was(shared: Service, surface: str) -> None:
    stream_id, sent = await streamed(shared, surface)

    assert without_beats(await read(shared, stream_id, surface)) == without_beats(sent)


def without_beats(sent: bytes) -> bytes:
    return sent.replace(b": keep-alive\n", b"").replace(b'event: ping\ndata: {"type":"ping"}\n\n', b"")


@pytest.mark.asyncio(loop_scope="module")
async def test_messages_are_gone_on_with_after_any_id(shared: Service) -> None:
    """Anthropic's format has ids: whoever comes back with one gets exactly the rest."""
    stream_id, sent = await streamed(shared, "messages")
    sent = without_beats(sent)
    ids = [line.removeprefix(b"id: ") for line in sent.splitlines() if line.startswith(b"id: ")]
    assert len(ids) > 10

    for last in ids[:-1]:
        response = await shared.http.post(
            "/v1/messages", json=BODIES["messages"] | {"stream": True}, headers={"Last-Event-ID": last.decode()}
        )
        assert response.headers["x-stream-id"] == stream_id
        end = sent.index(b"\n\n", sent.index(b"id: " + last + b"\n")) + 2
        assert without_beats(response.content) == sent[end:]


@pytest.mark.asyncio(loop_scope="module")
async def test_after_the_last_id_there_is_nothing(shared: Service) -> None:
    _, sent = await streamed(shared, "messages")
    last = [line for line in sent.splitlines() if line.startswith(b"id: ")][-1].removeprefix(b"id: ").decode()

    response = await shared.http.post("/v1/messages", json={}, headers={"Last-Event-ID": last})

    assert response.status_code == 204


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("surface", PATHS)
async def test_every_stream_and_every_answer_says_how_to_come_back(shared: Service, surface: str) -> None:
    stream_id, _ = await streamed(shared, surface)
    answer = await shared.http.post(PATHS[surface], json=BODIES[surface])

    assert (await shared.state(stream_id))["state"] == "done"
    assert (await shared.state(answer.headers["x-stream-id"]))["state"] == "done"
    assert answer.headers["x-artesian-backend"] == "local"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("surface", PATHS)
async def test_an_idempotency_key_attaches_to_the_same_stream(shared: Service, surface: str) -> None:
    key = {"Idempotency-Key": f"same-{surface}"}
    first = await streamed(shared, surface, headers=key)
    second = await streamed(shared, surface, headers=key)
    other = BODIES[surface] | {"stream": True, "metadata": {"user_id": "else"}}
    refused = await shared.http.post(PATHS[surface], json=other, headers=key)

    assert (first[0], without_beats(first[1])) == (second[0], without_beats(second[1]))
    assert refused.status_code == 422


@pytest.mark.parametrize("surface", PATHS)
async def test_a_reader_that_leaves_cancels_unless_it_says_otherwise(surface: str) -> None:
    async with running() as service:
        async with opened(service, surface, headers=fault_header("gate@2")) as left:
            await anext(left.aiter_bytes())
        assert (await call_of(service, 1, state="closed"))["client_left"] is True
        assert (await service.state(left.headers["x-stream-id"]))["state"] == "cancelled"

        stays = fault_header("gate@2") | {"X-On-Disconnect": "drain"}
        async with opened(service, surface, headers=stays) as left:
            await anext(left.aiter_bytes())
        await release(service)
        await eventually(lambda: is_done(service, left.headers["x-stream-id"]))


async def is_done(service: Service, stream_id: str) -> bool:
    return bool((await service.state(stream_id))["state"] == "done")


@pytest.mark.parametrize("surface", PATHS)
async def test_whoever_waits_for_a_whole_answer_and_leaves_cancels_it(service: Service, surface: str) -> None:
    headers = fault_header("gate@1") | {"X-On-Disconnect": "drain"}  # nobody could come back to it
    waiting = asyncio.create_task(service.http.post(PATHS[surface], json=BODIES[surface], headers=headers))
    await call_of(service, state="waiting")
    waiting.cancel()

    assert (await call_of(service, state="closed"))["client_left"] is True


async def test_an_sdk_that_breaks_off_cancels_upstream(service: Service) -> None:
    async with sdks.anthropic(service) as client:
        asked: Any = sdks.with_fault(asks.messages("Tell me about wells."), "gate@3")
        async with client.messages.stream(**asked) as stream:
            await anext(stream.text_stream.__aiter__())

    assert (await call_of(service, state="closed"))["client_left"] is True


@pytest.mark.asyncio(loop_scope="module")
async def test_what_bedrock_would_refuse_is_taken_out_and_named(shared: Service) -> None:
    body = {"model": "us.amazon.nova-lite-v1:0", "temperature": 1.9, "seed": 7, "logit_bias": {"1": 2}}
    body |= {"reasoning_effort": "high", "messages": [{"role": "user", "content": "Hi"}]}
    stream_id, _ = await streamed(shared, "chat", body)

    assert set((await shared.state(stream_id))["dropped"]) == {"seed", "logit_bias", "reasoning"}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", None])
async def test_either_version_of_messages_is_taken_and_answered_with_its_request_id(
    shared: Service, version: str | None
) -> None:
    headers = {"anthropic-version": version} if version else {}
    response = await shared.http.post("/v1/messages?beta=true", json=asks.messages("Hi"), headers=headers)

    assert response.status_code == 200
    assert response.headers["request-id"] == response.headers["x-request-id"]


@pytest.mark.asyncio(loop_scope="module")
async def test_betas_are_passed_on_without_those_that_bedrock_refuses(shared: Service) -> None:
    async with sdks.anthropic(shared) as client:
        message = await client.beta.messages.create(
            **asks.messages("Hi"), betas=["interleaved-thinking-2025-05-14", "files-api-2025-04-14"]
        )
        dropped = (await shared.state(message.id.removeprefix("msg_")))["dropped"]

    assert dropped == ["anthropic-beta: files-api-2025-04-14"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("headers", [{"Authorization": "Bearer anything"}, {"x-api-key": "anything"}, {}])
async def test_without_keys_any_key_will_do(shared: Service, headers: dict[str, str]) -> None:
    response = await shared.http.post("/v1/messages", json=asks.messages("Hi"), headers=headers)

    assert response.status_code == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_in_a_format_that_does_not_exist_is_refused(shared: Service) -> None:
    stream_id, _ = await streamed(shared, "chat")
    response = await shared.http.get(f"/api/streams/{stream_id}", params={"format": "morse"})

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "format"


@pytest.mark.asyncio(loop_scope="module")
async def test_thinking_can_be_handed_to_another_surface(shared: Service) -> None:
    """The signature of one format's thinking is taken in another's shape, by the same model."""
    first = await sdks.chat(shared, asks.CHAT["reasoning"])
    detail = first["choices"][0]["message"]["reasoning_details"][0]
    content: list[Any] = [
        {"type": "thinking", "thinking": detail["text"], "signature": detail["signature"]},
        {"type": "text", "text": first["choices"][0]["message"]["content"]},
    ]
    async with sdks.anthropic(shared) as client:
        message = await client.messages.create(
            model=HAIKU,
            max_tokens=3000,
            thinking={"type": "enabled", "budget_tokens": 1024},
            messages=[
                {"role": "user", "content": "Why do wells flow?"},
                {"role": "assistant", "content": content},
                {"role": "user", "content": "And why not always?"},
            ],
        )

    assert message.stop_reason == "end_turn"
