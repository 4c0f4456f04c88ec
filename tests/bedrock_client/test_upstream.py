"""The one door, over real sockets: what Bedrock's bytes become, and that every way out closes the call."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Literal

import msgspec
import pytest
import pytest_asyncio

from service.bedrock.catalog.profiles import Profiles
from service.bedrock.client import BedrockClient, Endpoint, open_client
from service.bedrock.eventstream import encode, encode_error, encode_event, encode_exception
from service.bedrock.upstream import Upstream
from service.deltas import Delta, Opened, Stop, StopReason, TextDelta, Timing, ToolCallStart, Unknown, Usage
from service.errors import InvalidRequest, UpstreamError
from service.generation import Guardrail, Message, Request, Text
from tests.bedrock_client.scripted import (
    CLOSE,
    FRAMES,
    LAST_CHUNK,
    RESET,
    STREAM,
    ScriptedServer,
    Step,
    head,
    piece,
    scripted_server,
    streamed,
    whole,
)
from tests.waiting import patience

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLAUDE = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"


def ask(model_id: str = CLAUDE, api: Literal["converse", "invoke"] = "converse", **more: Any) -> Request:
    return Request(model_id=model_id, messages=(Message("user", (Text("Hello"),)),), max_tokens=100, api=api, **more)


def event(kind: str, said: Any) -> bytes:
    return encode_event(kind, msgspec.json.encode(said))


def chunk(said: Any) -> bytes:
    text = said if isinstance(said, bytes) else msgspec.json.encode(said)
    return event("chunk", {"bytes": base64.b64encode(text).decode(), "p": "abcdef"})


OPEN = event("messageStart", {"role": "assistant", "p": "abc"})
HI = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}, "p": "ab"})
STOP = event("messageStop", {"stopReason": "end_turn"})
META = event(
    "metadata", {"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}, "metrics": {"latencyMs": 9}}
)

SAID: list[Delta] = [
    Opened(),
    TextDelta(0, "Hi"),
    Stop(StopReason.END_TURN, "end_turn"),
    Usage(3, 4, total_tokens=7),
    Timing(9),
]

START = {"type": "message_start", "message": {"role": "assistant", "usage": {"input_tokens": 3, "output_tokens": 1}}}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[tuple[BedrockClient, ScriptedServer]]:
    """One client for the module: it takes longer to make than a test takes."""
    async with (
        scripted_server() as scripted,
        open_client(Endpoint.local(scripted.url), max_streams=4, connect_timeout=30) as one,
    ):
        yield one, scripted


@pytest_asyncio.fixture(loop_scope="module")
async def server(shared: tuple[BedrockClient, ScriptedServer]) -> AsyncIterator[ScriptedServer]:
    """Its server, which has been asked nothing."""
    yield shared[1]
    await shared[1].anew()


@pytest.fixture
def client(shared: tuple[BedrockClient, ScriptedServer], server: ScriptedServer) -> BedrockClient:  # noqa: ARG001 - see `server`
    return shared[0]


@pytest.fixture
def upstream(client: BedrockClient) -> Upstream:
    return Upstream(client)


@asynccontextmanager
async def answering(upstream: Upstream, request: Request) -> AsyncIterator[AsyncIterator[list[Delta]]]:
    async with upstream.open(request, await upstream.resolve(request)) as answer:
        came = asyncio.Queue[list[Delta] | None]()
        following = asyncio.ensure_future(answer.follow(came.put_nowait))
        following.add_done_callback(lambda _: came.put_nowait(None))

        async def batches() -> AsyncGenerator[list[Delta], None]:
            while (batch := await came.get()) is not None:
                yield batch
            await following

        try:
            async with aclosing(batches()) as each:
                yield each
        finally:
            following.cancel()


async def heard(upstream: Upstream, request: Request | None = None) -> tuple[list[Delta], str]:
    """Read an answer to its end: its deltas, and the code it failed with."""
    deltas: list[Delta] = []
    try:
        async with patience(), answering(upstream, request or ask()) as batches:
            async for batch in batches:
                deltas += batch
    except UpstreamError as error:
        return deltas, error.code.name if error.request_id == "req-1" else "whose request?"
    return deltas, ""


async def test_one_read_is_one_batch_and_half_a_frame_is_none(upstream: Upstream, server: ScriptedServer) -> None:
    half, rest = asyncio.Event(), asyncio.Event()
    server.says(
        STREAM, piece(OPEN + HI + STOP[:20]), half, piece(STOP[20:30]), rest, piece(STOP[30:] + META), LAST_CHUNK
    )

    async with answering(upstream, ask()) as batches:
        assert await anext(batches) == SAID[:2]
        half.set()
        assert await anext(batches) == []
        rest.set()
        assert [delta async for batch in batches for delta in batch] == SAID[2:]


async def test_an_answer_in_single_bytes_is_the_same(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(STREAM, *(piece(bytes([byte])) for byte in OPEN + HI + STOP + META), LAST_CHUNK)

    assert await heard(upstream) == (SAID, "")


async def test_invoke_reads_chunks_of_the_family(upstream: Upstream, server: ScriptedServer) -> None:
    metrics = {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 4},
    }
    server.says(streamed(chunk(START) + chunk(TEXT) + chunk(END) + chunk(metrics)))

    deltas, code = await heard(upstream, ask(api="invoke"))

    assert code == ""
    assert TextDelta(0, "Hi") in deltas
    assert Stop(StopReason.END_TURN, "end_turn") in deltas
    assert server.received[0].target.endswith("/invoke-with-response-stream")
    assert msgspec.json.decode(server.received[0].body)["anthropic_version"] == "bedrock-2023-05-31"


FAILING: dict[str, tuple[bytes, str]] = {
    "internalServerException": (encode_exception("internalServerException", b"{}"), "upstream_unavailable"),
    "modelStreamErrorException": (encode_exception("modelStreamErrorException", b"{}"), "model_error"),
    "validationException": (encode_exception("validationException", b"{}"), "validation"),
    "throttlingException": (encode_exception("throttlingException", b"{}"), "throttled"),
    "serviceUnavailableException": (encode_exception("serviceUnavailableException", b"{}"), "upstream_unavailable"),
    "an exception of the other operation": (encode_exception("modelTimeoutException", b"{}"), "model_timeout"),
    "another casing": (encode_exception("ThrottlingException", b"{}"), "throttled"),
    "an exception nobody models": (encode_exception("accessDeniedException", b"{}"), "access_denied"),
    "an exception without JSON": (encode_exception("throttlingException", b"<html>"), "throttled"),
    "an error frame": (encode_error("InternalFailure", "oops"), "upstream_unavailable"),
    "an event named after an exception": (event("throttlingException", {"message": "m"}), "throttled"),
    "a payload that is no JSON": (encode_event("contentBlockDelta", b"{"), "upstream_corrupt"),
    "an empty payload": (encode_event("contentBlockDelta", b""), "upstream_corrupt"),
    "a wrong checksum of the lengths": (bytes([HI[0] ^ 1]) + HI[1:], "upstream_corrupt"),
    "a wrong checksum of the frame": (HI[:-1] + bytes([HI[-1] ^ 1]), "upstream_corrupt"),
}


@pytest.mark.parametrize("api", ["converse", "invoke"])
@pytest.mark.parametrize(("frame", "code"), FAILING.values(), ids=FAILING)
async def test_a_failure_as_the_first_frame_has_its_own_code(
    upstream: Upstream, server: ScriptedServer, api: Literal["converse", "invoke"], frame: bytes, code: str
) -> None:
    if api == "invoke":
        frame = frame.replace(b"contentBlockDelta", b"chunk")
        frame = {"upstream_corrupt": chunk(b"{")}.get(code, frame)
    server.says(streamed(frame))

    assert await heard(upstream, ask(api=api)) == ([], code)


@pytest.mark.parametrize(("frame", "code"), FAILING.values(), ids=FAILING)
async def test_what_came_before_a_failure_in_one_read_is_told_first(
    upstream: Upstream, server: ScriptedServer, frame: bytes, code: str
) -> None:
    server.says(STREAM, piece(OPEN + HI + frame + STOP), asyncio.Event())

    assert await heard(upstream) == (SAID[:2], code)


async def test_nothing_is_told_after_a_failure(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(streamed(HI + encode_exception("throttlingException", b"{}") + HI))

    assert await heard(upstream) == ([TextDelta(0, "Hi")], "throttled")


async def test_the_details_of_a_frames_exception_are_kept(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(
        streamed(
            encode_exception(
                "modelStreamErrorException", b'{"message":"m","originalStatusCode":400,"originalMessage":"o"}'
            )
        )
    )

    with pytest.raises(UpstreamError) as raised:
        async with answering(upstream, ask()) as batches:
            await anext(batches)

    assert (raised.value.original_status, raised.value.retried, raised.value.aws_message) == (400, False, "m")


ODD: dict[str, tuple[bytes, list[Delta]]] = {
    "an unknown event": (event("hologram", {"a": 1}), [Unknown("hologram")]),
    "an unknown member of a union": (
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"smell": "rose"}}),
        [Unknown("contentBlockDelta.smell")],
    ),
    "unknown members elsewhere": (event("messageStart", {"role": "assistant", "mood": "good"}), [Opened()]),
    "an empty start": (event("contentBlockStart", {"contentBlockIndex": 0, "start": {}}), []),
    "null members": (
        event(
            "contentBlockStart",
            {"contentBlockIndex": 0, "start": {"image": None, "toolUse": {"toolUseId": "t", "name": "n"}}},
        ),
        [ToolCallStart(0, "t", "n")],
    ),
    "a message of no kind": (encode({":event-type": "messageStart"}, b"{}"), [Opened()]),
}


@pytest.mark.parametrize(("frame", "deltas"), ODD.values(), ids=ODD)
async def test_what_the_sdk_would_stumble_over_is_read(
    upstream: Upstream, server: ScriptedServer, frame: bytes, deltas: list[Delta]
) -> None:
    server.says(streamed(frame + STOP))

    assert await heard(upstream) == ([*deltas, SAID[2]], "")


async def test_an_unknown_event_between_chunks_is_counted(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(streamed(event("hologram", {}) + chunk(START) + chunk(END)))

    deltas, code = await heard(upstream, ask(api="invoke"))

    assert (deltas[0], code) == (Unknown("hologram"), "")


ENDS: dict[str, tuple[tuple[Step, ...], str]] = {
    "cleanly, after metadata": ((streamed(OPEN + HI + STOP + META),), ""),
    "cleanly, after messageStop": ((streamed(OPEN + HI + STOP),), ""),
    "cleanly, before messageStop": ((streamed(OPEN + HI),), "upstream_truncated"),
    "cleanly, inside a frame": ((streamed(OPEN + HI + STOP[:-1]),), "upstream_truncated"),
    "cleanly, inside the metadata": ((streamed(OPEN + HI + STOP + META[:50]),), "upstream_truncated"),
    "with nothing said": ((streamed(b""),), "upstream_truncated"),
    "with the connection, before messageStop": ((head(200, FRAMES), OPEN + HI, CLOSE), "upstream_truncated"),
    "with the connection, after messageStop": ((head(200, FRAMES), OPEN + HI + STOP, CLOSE), ""),
    "without a last chunk, before messageStop": ((STREAM, piece(OPEN + HI), CLOSE), "upstream_truncated"),
    "without a last chunk, after messageStop": ((STREAM, piece(OPEN + HI + STOP), CLOSE), ""),
    "short of its length": (
        (head(200, {**FRAMES, "Content-Length": "9999"}), OPEN + HI, CLOSE),
        "upstream_truncated",
    ),
    "in a reset": ((STREAM, piece(OPEN + HI), RESET), "upstream_truncated"),
}


@pytest.mark.parametrize(("script", "code"), ENDS.values(), ids=ENDS)
async def test_a_stream_may_end(
    upstream: Upstream, server: ScriptedServer, script: tuple[Step, ...], code: str
) -> None:
    server.says(*script)

    deltas, ended = await heard(upstream)

    assert ended == code
    assert deltas == SAID[: len(deltas)]


@pytest.mark.parametrize("kind", ["text/html", "application/json", "application/vnd.amazon.eventstream"])
@pytest.mark.parametrize("body", [b"<html><body>503</body></html>", b'{"message":"no"}', b"<p>"])
async def test_html_or_json_in_place_of_frames_is_corrupt(
    upstream: Upstream, server: ScriptedServer, kind: str, body: bytes
) -> None:
    server.says(whole(200, body, {"Content-Type": kind}))

    deltas, code = await heard(upstream)

    assert deltas == []
    assert code == ("upstream_truncated" if body == b"<p>" and "eventstream" in kind else "upstream_corrupt")


@pytest.mark.parametrize("api", ["converse", "invoke"])
async def test_an_error_object_of_anthropics_in_a_200_has_its_code(
    upstream: Upstream, server: ScriptedServer, api: Literal["converse", "invoke"]
) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}
    server.says(streamed(chunk(error) if api == "invoke" else event("error", error["error"])))

    assert await heard(upstream, ask(api=api)) == ([], "throttled")


@pytest.mark.parametrize("last", [b'"[DONE]"', b"null", b"7", b"[]"])
async def test_a_chunk_that_is_no_object_says_nothing(upstream: Upstream, server: ScriptedServer, last: bytes) -> None:
    server.says(streamed(chunk(START) + chunk(TEXT) + chunk(END) + chunk(last)))

    deltas, code = await heard(upstream, ask(api="invoke"))

    assert code == ""
    assert TextDelta(0, "Hi") in deltas


@pytest.mark.parametrize("payload", [b'{"p":"ab"}', b'{"bytes":7}', b'{"bytes":"not base64!"}', b"[]", b""])
async def test_a_chunk_without_its_bytes_is_corrupt(upstream: Upstream, server: ScriptedServer, payload: bytes) -> None:
    server.says(streamed(encode_event("chunk", payload)))

    assert await heard(upstream, ask(api="invoke")) == ([], "upstream_corrupt")


JURASSIC = "ai21.j2-ultra-v1"
WHOLE = (
    b'{"completions":[{"data":{"text":"Hi","tokens":[]},"finishReason":{"reason":"endoftext"}}],"prompt":{"tokens":[]}}'
)


async def test_a_model_that_cannot_stream_is_called_whole_and_comes_as_one_batch(
    upstream: Upstream, server: ScriptedServer
) -> None:
    server.says(whole(200, WHOLE, {"X-Amzn-Bedrock-Input-Token-Count": "3", "X-Amzn-Bedrock-Output-Token-Count": "4"}))

    async with answering(upstream, ask(JURASSIC, "invoke")) as batches:
        [batch] = [batch async for batch in batches]

    assert server.received[0].target == f"/model/{JURASSIC}/invoke"
    assert TextDelta(0, "Hi") in batch
    assert any(isinstance(delta, Stop) and delta.reason is StopReason.END_TURN for delta in batch)
    assert [delta for delta in batch if isinstance(delta, Usage)][-1].output_tokens == 4


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1,2]", b'{"completions":7}'])
async def test_a_whole_answer_that_cannot_be_read_is_corrupt(
    upstream: Upstream, server: ScriptedServer, body: bytes
) -> None:
    server.says(whole(200, body))

    assert await heard(upstream, ask(JURASSIC, "invoke")) == ([], "upstream_corrupt")


async def test_a_refusal_opens_nothing(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(whole(429, b"{}", {"x-amzn-ErrorType": "ThrottlingException"}))

    assert await heard(upstream) == ([], "throttled")
    assert server.open == 1  # kept for the next call


async def test_an_unknown_model_brings_the_nearest_names_of_the_catalogue(
    upstream: Upstream, server: ScriptedServer
) -> None:
    server.says(
        whole(
            400,
            b'{"message":"The provided model identifier is invalid."}',
            {"x-amzn-ErrorType": "ValidationException"},
        )
    )

    with pytest.raises(UpstreamError) as raised:
        async with answering(upstream, ask("anthropic.claude-haiku-4-6")):
            pass

    assert raised.value.code.name == "model_not_found"
    assert raised.value.message.startswith("The provided model identifier is invalid. ")
    assert "global.anthropic.claude-haiku-" in raised.value.message


async def test_leaving_the_block_early_drops_the_call(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(STREAM, piece(OPEN + HI), asyncio.Event())

    async with answering(upstream, ask()) as batches:
        await anext(batches)

    await server.until_open(0)


async def test_an_error_in_the_block_drops_the_call(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(STREAM, piece(OPEN + HI), asyncio.Event())

    with pytest.raises(LookupError):
        async with answering(upstream, ask()):
            raise LookupError

    await server.until_open(0)


async def test_a_failure_in_the_stream_drops_the_call(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(STREAM, piece(encode_exception("throttlingException", b"{}")), asyncio.Event())

    assert await heard(upstream) == ([], "throttled")
    await server.until_open(0)


@pytest.mark.parametrize("said", [b"", STREAM, STREAM + piece(OPEN + HI)], ids=["nothing", "headers", "text"])
async def test_cancelling_drops_the_call_at_once(upstream: Upstream, server: ScriptedServer, said: bytes) -> None:
    server.says(said, asyncio.Event())
    task = asyncio.create_task(heard(upstream))
    await server.until_received(1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await server.until_open(0)


async def test_a_drained_answer_keeps_its_connection_for_the_next(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(streamed(OPEN + HI + STOP + META))

    for _ in range(3):
        assert await heard(upstream) == (SAID, "")

    assert server.opened == 1


async def test_a_fault_for_the_local_bedrock_is_passed_on(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(streamed(STOP))

    await heard(upstream, ask(fault="throttle=2"))
    await heard(upstream, ask())

    assert server.received[0].headers["x-artesian-fault"] == "throttle=2"
    assert "x-artesian-fault" not in server.received[1].headers


async def test_what_converse_takes_in_its_body_goes_into_headers_of_invoke(
    upstream: Upstream, server: ScriptedServer
) -> None:
    server.says(streamed(chunk(START) + chunk(END)))

    await heard(
        upstream,
        ask(
            api="invoke",
            guardrail=Guardrail("gr-1", "DRAFT", trace="enabled_full", stream_mode="async"),
            metadata={"team": "é"},
            extra={"serviceTier": {"type": "flex"}, "performanceConfig": {"latency": "optimized"}},
        ),
    )

    [received] = server.received
    assert {name: value for name, value in received.headers.items() if name.startswith("x-amzn-bedrock-")} == {
        "x-amzn-bedrock-guardrailidentifier": "gr-1",
        "x-amzn-bedrock-guardrailversion": "DRAFT",
        "x-amzn-bedrock-trace": "ENABLED_FULL",
        "x-amzn-bedrock-request-metadata": '{"team": "\\u00e9"}',
        "x-amzn-bedrock-service-tier": "flex",
        "x-amzn-bedrock-performanceconfig-latency": "optimized",
    }
    body = msgspec.json.decode(received.body)
    assert body["amazon-bedrock-guardrailConfig"] == {"streamProcessingMode": "ASYNCHRONOUS"}
    assert not {"serviceTier", "performanceConfig"} & set(body)


async def test_a_header_cannot_be_smuggled_in(upstream: Upstream, server: ScriptedServer) -> None:
    with pytest.raises(InvalidRequest):
        await heard(upstream, ask(api="invoke", guardrail=Guardrail("a\r\nX-Evil: 1", "1")))

    assert server.received == []


async def test_half_a_surrogate_pair_is_the_requests_mistake(upstream: Upstream, server: ScriptedServer) -> None:
    with pytest.raises(InvalidRequest):
        await heard(upstream, Request(model_id=CLAUDE, messages=(Message("user", (Text("\ud83d"),)),)))

    assert server.received == []


@pytest.mark.parametrize("api", ["converse", "invoke"])
async def test_tokens_are_counted_for_the_base_model(
    upstream: Upstream, server: ScriptedServer, api: Literal["converse", "invoke"]
) -> None:
    server.says(whole(200, b'{"inputTokens":12}'))
    request = ask(api=api, system=(Text("Be brief."),))

    assert await upstream.count_tokens(request, await upstream.resolve(request)) == 12

    [received] = server.received
    assert received.target == "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens"
    counted = msgspec.json.decode(received.body)["input"]
    if api == "converse":
        assert set(counted["converse"]) == {"messages", "system"}
    else:
        assert msgspec.json.decode(base64.b64decode(counted["invokeModel"]["body"]))["system"]


@pytest.mark.parametrize("body", [b"{}", b'{"inputTokens":"many"}', b"<html>"])
async def test_a_count_that_cannot_be_read_is_corrupt(upstream: Upstream, server: ScriptedServer, body: bytes) -> None:
    server.says(whole(200, body))
    request = ask()

    with pytest.raises(UpstreamError) as raised:
        await upstream.count_tokens(request, await upstream.resolve(request))

    assert raised.value.code.name == "upstream_corrupt"


PROFILE = (
    b'{"models":[{"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"}]}'
)


async def test_an_arn_that_hides_its_family_is_looked_up_once(upstream: Upstream, server: ScriptedServer) -> None:
    server.says(whole(200, PROFILE))

    targets = await asyncio.gather(*(upstream.resolve(ask(ARN, "invoke")) for _ in range(5)))

    assert {target.family for target in targets} == {"claude_messages"}
    assert {target.model_id for target in targets} == {ARN}
    assert [received.target for received in server.received] == [
        "/inference-profiles/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabcdefghijkl"
    ]


@pytest.mark.parametrize(
    "answer",
    [
        whole(403, b"{}", {"x-amzn-ErrorType": "AccessDeniedException"}),
        whole(200, b"{}"),
        whole(200, b'{"models":"none"}'),
        whole(200, b"<html>"),
    ],
)
async def test_an_arn_that_nobody_tells_of_goes_to_converse(
    upstream: Upstream, server: ScriptedServer, answer: bytes
) -> None:
    server.says(answer)

    request = Request(model_id=ARN, messages=ask().messages)
    targets = [await upstream.resolve(request) for _ in range(2)]

    assert {(target.api, target.streams) for target in targets} == {("converse", True)}
    assert len(server.received) == 1


async def test_lookups_of_made_up_arns_do_not_pile_up(client: BedrockClient, server: ScriptedServer) -> None:
    server.says(whole(200, b"{}"))
    profiles = Profiles(client)

    for number in range(1_030):
        await profiles.behind(f"{ARN}{number}")

    assert len(profiles._known) == 1_024  # noqa: SLF001 -- the bound is about what is inside


async def test_an_alias_spares_the_lookup(client: BedrockClient, server: ScriptedServer) -> None:
    upstream = Upstream(client, aliases={"mine": (ARN, "claude_messages"), "plain": (CLAUDE, None)}, api="invoke")

    told = await upstream.resolve(Request(model_id="mine", messages=ask().messages))
    plain = await upstream.resolve(Request(model_id="plain", messages=ask().messages))

    assert (told.model_id, told.family, told.api) == (ARN, "claude_messages", "invoke")
    assert (plain.model_id, plain.family) == (CLAUDE, "claude_messages")
    assert server.received == []


async def test_the_region_is_the_clients(upstream: Upstream) -> None:
    assert upstream.region == "us-east-1"
