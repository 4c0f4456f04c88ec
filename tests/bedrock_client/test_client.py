"""The client over real sockets: what goes out, what comes back, and who holds which connection."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from service.bedrock.client import BedrockClient, Endpoint, Operation, Response, SdkCall, open_client
from service.bedrock.eventstream import encode_event
from service.errors import UpstreamError
from tests.bedrock_client.scripted import (
    CLOSE,
    FRAMES,
    LAST_CHUNK,
    RESET,
    STREAM,
    Received,
    ScriptedServer,
    Step,
    head,
    piece,
    scripted_server,
    streamed,
    whole,
)
from tests.waiting import patience

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0"
FRAME = encode_event("messageStop", b'{"stopReason":"end_turn"}')
ASK = SdkCall("ConverseStream", "m", b"{}")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as scripted:
        yield scripted


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[BedrockClient]:
    async with opened(server.url) as one:
        yield one


@asynccontextmanager
async def opened(url: str, max_streams: int = 4) -> AsyncIterator[BedrockClient]:
    async with open_client(Endpoint.local(url), max_streams=max_streams, connect_timeout=30) as one:
        yield one


PATHS: dict[Operation, str] = {
    "Converse": "converse",
    "ConverseStream": "converse-stream",
    "InvokeModel": "invoke",
    "InvokeModelWithResponseStream": "invoke-with-response-stream",
    "CountTokens": "count-tokens",
}


@pytest.mark.parametrize(("operation", "path"), PATHS.items(), ids=PATHS)
async def test_our_body_and_headers_go_out_as_they_are(
    client: BedrockClient, server: ScriptedServer, operation: Operation, path: str
) -> None:
    body = '{"newerThanTheSdk":{"é":[1,2]}}'.encode()
    server.says(streamed(FRAME) if "Stream" in operation else whole(200, b'{"ok":true}'))

    response = await client.send(SdkCall(operation, ARN, body, {"X-Amzn-Bedrock-Trace": "ENABLED"}))
    answer = await response.read_all()

    assert answer == (FRAME if "Stream" in operation else b'{"ok":true}')
    [received] = server.received
    assert (received.method, received.body) == ("POST", body)
    assert received.target == (
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F"
        f"us.anthropic.claude-haiku-4-5-20251001-v1%3A0/{path}"
    )
    assert received.headers["content-length"] == str(len(body))
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-amzn-bedrock-trace"] == "ENABLED"
    assert "artesian/" in received.headers["user-agent"]
    assert_signed(received, server.url)


def assert_signed(received: Received, url: str) -> None:
    """Sign the request again with the SDK's own signer, from what came over the wire."""
    authorization = received.headers["authorization"]
    signed = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"x-amzn-bedrock-trace", "content-type", "host"} <= set(signed)
    request = AWSRequest(
        method=received.method,
        url=url + received.target,
        headers={name: received.headers[name] for name in signed},
        data=received.body,
    )
    request.context["timestamp"] = received.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("local", "local"), "bedrock", "us-east-1")
    again = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert authorization.endswith(f"Signature={again}")


_EACH_TIME = {
    "x-amz-date",
    "authorization",
    "amz-sdk-invocation-id",
    "user-agent",
}  # the last lists its facts in any order


@pytest.mark.parametrize("operation", PATHS)
async def test_a_call_made_again_goes_out_as_the_first_did(
    client: BedrockClient, server: ScriptedServer, operation: Operation
) -> None:
    client.call_headers = lambda: {"traceparent": "00-1"}
    call = SdkCall(operation, ARN, b'{"a":1}', {"X-Amzn-Bedrock-Trace": "ENABLED"})
    for _ in range(3):
        server.says(streamed(FRAME) if "Stream" in operation else whole(200, b"{}"))
        await (await client.send(call)).read_all()

    first, second, third = server.received

    assert (second.target, second.body) == (third.target, third.body) == (first.target, first.body)
    assert list(second.headers) == list(third.headers) == list(first.headers)
    for name in first.headers.keys() - _EACH_TIME:
        assert second.headers[name] == third.headers[name] == first.headers[name], name
    assert second.headers["amz-sdk-invocation-id"] != third.headers["amz-sdk-invocation-id"]
    assert "artesian/" in third.headers["user-agent"]
    assert_signed(third, server.url)


@pytest.mark.parametrize("operation", PATHS)
async def test_a_call_made_again_can_be_refused(
    client: BedrockClient, server: ScriptedServer, operation: Operation
) -> None:
    server.says(streamed(FRAME) if "Stream" in operation else whole(200, b"{}"))
    await (await client.send(SdkCall(operation, "m", b"{}"))).read_all()
    slower = {"x-amzn-ErrorType": "ThrottlingException", "Retry-After": "7"}
    server.only_says(whole(429, b'{"message":"Slower."}', slower))

    with pytest.raises(UpstreamError) as caught:
        await client.send(SdkCall(operation, "m", b"{}"))

    assert (caught.value.code.name, caught.value.retry_after) == ("throttled", 7)
    assert caught.value.request_id == "req-1"


async def test_an_answer_has_its_headers_and_its_request_id(client: BedrockClient, server: ScriptedServer) -> None:
    server.says(whole(200, b"{}", {"X-Amzn-Bedrock-Input-Token-Count": "17"}))

    response = await client.send(SdkCall("InvokeModel", "m", b"{}"))

    assert response.request_id == "req-1"
    assert response.headers["x-amzn-bedrock-input-token-count"] == "17"
    assert await response.read_all() == b"{}"


@pytest.mark.parametrize(
    "body", [b'{"unknownMember":1,"output":7}', b"<html>", b"", b"[1]"], ids=["odd", "html", "empty", "list"]
)
async def test_a_whole_answer_comes_as_it_is_whatever_the_sdk_would_think_of_it(
    client: BedrockClient, server: ScriptedServer, body: bytes
) -> None:
    server.says(whole(200, body))

    response = await client.send(SdkCall("Converse", "m", b"{}"))

    assert await response.read_all() == body
    assert await response.read() == b""


async def test_bytes_are_handed_on_as_they_come(client: BedrockClient, server: ScriptedServer) -> None:
    more, end = asyncio.Event(), asyncio.Event()
    server.says(STREAM, piece(b"one"), more, piece(b"two"), end, LAST_CHUNK)

    response = await client.send(ASK)

    assert await response.read() == b"one"
    more.set()
    assert await response.read() == b"two"
    end.set()
    assert await response.read() == b""
    assert await response.read() == b""


CUTS: dict[str, tuple[Step, ...]] = {
    "a reset": (RESET,),
    "a missing last chunk": (CLOSE,),
    "a cut chunk": (b"ff\r\ntwo", CLOSE),
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
async def test_a_body_that_is_cut_is_truncated(
    client: BedrockClient, server: ScriptedServer, cut: tuple[Step, ...]
) -> None:
    heard = asyncio.Event()
    server.says(STREAM, piece(b"one"), heard, *cut)

    response = await client.send(ASK)
    assert await response.read() == b"one"
    heard.set()

    assert await failure(response.read_all()) == "upstream_truncated"
    response.close()


async def test_a_body_shorter_than_its_length_is_truncated(client: BedrockClient, server: ScriptedServer) -> None:
    server.says(head(200, {**FRAMES, "Content-Length": "100"}), b"one", CLOSE)

    response = await client.send(ASK)

    assert await failure(response.read_all()) == "upstream_truncated"
    response.close()


async def test_a_body_with_neither_length_nor_chunks_ends_with_its_connection(
    client: BedrockClient, server: ScriptedServer
) -> None:
    server.says(head(200, FRAMES), b"one", CLOSE)

    response = await client.send(ASK)

    assert await response.read_all() == b"one"


UNREACHED: dict[str, tuple[Step, ...]] = {
    "dropped without an answer": (CLOSE,),
    "reset without an answer": (RESET,),
    "cut inside the headers": (b"HTTP/1.1 200 OK\r\nContent-", CLOSE),
    "no HTTP at all": (b"SSH-2.0-OpenSSH_9.6\r\n", CLOSE),
}


@pytest.mark.parametrize("script", UNREACHED.values(), ids=UNREACHED)
async def test_a_connection_that_brings_no_answer_is_unavailable_and_tried_once(
    client: BedrockClient, server: ScriptedServer, script: tuple[Step, ...]
) -> None:
    server.says(*script)

    assert await failure(client.send(ASK)) == "upstream_unavailable"
    assert len(server.received) == 1


async def test_a_refused_connection_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        async with opened(f"http://127.0.0.1:{taken.getsockname()[1]}") as client:
            assert await failure(client.send(ASK)) == "upstream_unavailable"


async def test_an_address_nobody_answers_at_is_unavailable_after_the_connect_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.socket() as first, socket.socket() as second:  # they fill the backlog
            for waiting in (first, second):
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            async with open_client(Endpoint.local(url), max_streams=1, connect_timeout=0.2) as client:
                assert await failure(client.send(ASK)) == "upstream_unavailable"


REFUSALS = {
    "throttled": (429, "ThrottlingException", "throttled"),
    "unavailable": (503, "ServiceUnavailableException", "upstream_unavailable"),
    "internal": (500, "InternalServerException", "upstream_unavailable"),
    "timed out": (408, "ModelTimeoutException", "model_timeout"),
    "not ready": (429, "ModelNotReadyException", "model_not_ready"),
    "refused": (403, "AccessDeniedException", "access_denied"),
    "invalid": (400, "ValidationException", "validation"),
}


@pytest.mark.parametrize("operation", PATHS)
@pytest.mark.parametrize(("status", "word", "code"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_has_our_code_and_is_never_repeated_by_the_sdk(
    client: BedrockClient, server: ScriptedServer, operation: Operation, status: int, word: str, code: str
) -> None:
    server.says(whole(status, b'{"message":"Because 123456789012."}', {"x-amzn-ErrorType": f"{word}:http://x"}))

    with pytest.raises(UpstreamError) as raised:
        await client.send(SdkCall(operation, "m", b"{}"))

    error = raised.value
    assert (error.code.name, error.aws_code, error.aws_message) == (code, word, "Because *.")
    assert error.request_id == "req-1"
    assert len(server.received) == 1


async def test_the_details_of_a_models_failure_and_of_a_throttle_are_kept(
    client: BedrockClient, server: ScriptedServer
) -> None:
    server.says(whole(424, b'{"originalStatusCode":400}', {"x-amzn-ErrorType": "ModelErrorException"}))
    server.says(whole(429, b"{}", {"x-amzn-ErrorType": "ThrottlingException", "Retry-After": "7"}))

    with pytest.raises(UpstreamError) as raised:
        await client.send(ASK)
    assert (raised.value.original_status, raised.value.retried) == (400, False)
    with pytest.raises(UpstreamError) as raised:
        await client.send(ASK)
    assert raised.value.retry_after == 7


@pytest.mark.parametrize("status", [403, 404, 502, 503, 504])
async def test_html_in_place_of_an_error_does_not_confuse_the_sdk(
    client: BedrockClient, server: ScriptedServer, status: int
) -> None:
    server.says(whole(status, b"<html>No</html>", {"Content-Type": "text/html"}))

    code = await failure(client.send(ASK))

    assert code == {403: "access_denied", 404: "model_not_found"}.get(status, "upstream_unavailable")


async def test_a_drained_answer_gives_its_connection_back(client: BedrockClient, server: ScriptedServer) -> None:
    server.says(streamed(FRAME))

    for _ in range(3):
        response = await client.send(ASK)
        await response.read_all()
        response.close()
        response.close()

    assert server.opened == 1
    assert server.open == 1


async def test_an_answer_that_is_left_drops_its_connection_at_once(
    client: BedrockClient, server: ScriptedServer
) -> None:
    server.says(STREAM, piece(FRAME), asyncio.Event())
    response = await client.send(ASK)
    await response.read()

    response.close()
    response.close()

    await server.until_open(0)


async def test_more_than_ten_streams_run_at_once(server: ScriptedServer) -> None:
    go = asyncio.Event()
    server.says(STREAM, piece(b"one"), go, LAST_CHUNK)

    async with opened(server.url, max_streams=30) as client:
        responses = await asyncio.gather(*(client.send(ASK) for _ in range(30)))
        await server.until_open(30)
        go.set()
        bodies = await asyncio.gather(*(response.read_all() for response in responses))

    assert bodies == [b"one"] * 30


async def test_calls_that_are_cancelled_before_their_answer_give_their_places_back(server: ScriptedServer) -> None:
    server.says(asyncio.Event())

    async with opened(server.url, max_streams=1) as client:
        for round_ in range(1, 4):  # each takes more places than the pool has
            calls = [asyncio.create_task(client.send(ASK)) for _ in range(30)]
            await server.until_open(9)
            await server.until_received(9 * round_)
            await cancel(*calls)
            await server.until_open(0)
        server.only_says(whole(200, b"{}"))
        assert await failure(client.send(SdkCall("Converse", "m", b"{}"))) == ""


async def test_reads_that_are_cancelled_lose_no_place(server: ScriptedServer) -> None:
    server.says(STREAM, piece(b"one"), asyncio.Event())

    async def left(client: BedrockClient) -> None:
        response = await client.send(ASK)
        try:
            await response.read()
            await response.read()
        finally:
            response.close()

    async with opened(server.url, max_streams=1) as client:
        for round_ in range(1, 4):
            readers = [asyncio.create_task(left(client)) for _ in range(9)]
            await server.until_received(9 * round_)
            await server.until_open(9)
            await cancel(*readers)
            await server.until_open(0)


async def test_a_refusal_whose_body_never_comes_can_be_cancelled(client: BedrockClient, server: ScriptedServer) -> None:
    server.says(head(503, {"Content-Length": "100"}), asyncio.Event())
    call = asyncio.create_task(client.send(ASK))
    await server.until_received(1)

    await cancel(call)

    await server.until_open(0)


async def test_a_cancelled_call_ends_in_cancellation_and_not_in_an_error(
    client: BedrockClient, server: ScriptedServer
) -> None:
    server.says(asyncio.Event())
    call = asyncio.create_task(client.send(ASK))
    await server.until_received(1)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts the timers that are armed."""

    armed = 0

    def call_at(  # type: ignore[override] # its stub ties `args` to the callback, which is nothing to us
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.armed += 1
        return super().call_at(when, callback, *args, context=context)


def test_no_timer_is_armed_by_a_read() -> None:
    async def read_slowly() -> list[int]:
        async with scripted_server() as server, opened(server.url) as client:
            steps, end = [asyncio.Event() for _ in range(20)], asyncio.Event()
            server.says(STREAM, *(part for step in steps for part in (step, piece(b"x"))), end, LAST_CHUNK)
            response = await client.send(ASK)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, CountingLoop)
            before = loop.armed
            for step in steps:
                step.set()
                assert await response.read() == b"x"
            after = loop.armed
            end.set()
            await response.read_all()
            return [before, after]

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        before, after = runner.run(read_slowly())

    assert after == before


async def test_a_read_after_the_client_was_closed_is_an_error_of_ours(server: ScriptedServer) -> None:
    server.says(STREAM, piece(b"one"), asyncio.Event())
    async with opened(server.url) as client:
        response = await client.send(ASK)
        await response.read()

    assert await failure(response.read()) == "upstream_truncated"
    response.close()


async def test_neither_prompt_nor_answer_stands_in_a_log_of_the_sdks(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.says(whole(200, b'{"answer":"sesame"}'))
    server.says(whole(400, b'{"message":"sesame"}'))

    async with opened(server.url) as client:
        await (await client.send(SdkCall("Converse", "m", b'{"prompt":"sesame"}'))).read_all()
        assert await failure(client.send(SdkCall("Converse", "m", b'{"prompt":"sesame"}'))) == "validation"

    assert "sesame" not in caplog.text


MODELS = b'{"modelSummaries":[{"modelId":"a","modelLifecycle":{"status":"ACTIVE","endOfLifeTime":"2027-01-01"}}]}'


async def test_the_control_plane_lists_models_as_they_are_described(
    client: BedrockClient, server: ScriptedServer
) -> None:
    server.says(whole(200, MODELS))

    [model] = await client.list_models()

    assert model["modelLifecycle"]["endOfLifeTime"] == "2027-01-01"  # which the SDK's model does not have
    assert server.received[0].target == "/foundation-models?byOutputModality=TEXT"


async def test_profiles_are_read_page_after_page(client: BedrockClient, server: ScriptedServer) -> None:
    server.says(whole(200, b'{"inferenceProfileSummaries":[{"inferenceProfileId":"a"}],"nextToken":"t+1"}'))
    server.says(whole(200, b'{"inferenceProfileSummaries":[{"inferenceProfileId":"b"}]}'))

    profiles = await client.list_profiles()

    assert [profile["inferenceProfileId"] for profile in profiles] == ["a", "b"]
    assert [received.target for received in server.received] == [
        "/inference-profiles?maxResults=1000",
        "/inference-profiles?maxResults=1000&nextToken=t%2B1",
    ]


async def test_a_profile_says_which_models_hide_behind_it(client: BedrockClient, server: ScriptedServer) -> None:
    server.says(whole(200, b'{"models":[{"modelArn":"arn:aws:bedrock:eu-west-1::foundation-model/x"}]}'))

    profile = await client.get_profile("arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc")

    assert profile["models"][0]["modelArn"].endswith("/x")
    assert server.received[0].target.endswith("%3Aapplication-inference-profile%2Fabc")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (whole(200, b"<html>"), "upstream_corrupt"),
        (whole(403, b"{}", {"x-amzn-ErrorType": "AccessDeniedException"}), "access_denied"),
        (whole(400, b"{}", {"x-amzn-ErrorType": "ValidationException"}), "validation"),
    ],
)
async def test_a_control_plane_that_fails_is_an_error_of_ours(
    client: BedrockClient, server: ScriptedServer, answer: bytes, code: str
) -> None:
    server.says(answer)

    assert await failure(client.list_models()) == code


async def test_a_control_plane_that_says_nothing_is_unavailable(server: ScriptedServer) -> None:
    server.says(asyncio.Event())

    async with open_client(Endpoint.local(server.url), max_streams=1, connect_timeout=1, control_timeout=0.1) as client:
        assert await failure(client.list_models()) == "upstream_unavailable"

    await server.until_open(0)


async def test_a_count_of_tokens_that_never_comes_is_a_timeout(server: ScriptedServer) -> None:
    server.says(asyncio.Event())
    async with open_client(Endpoint.local(server.url), max_streams=1, connect_timeout=1, control_timeout=0.1) as client:
        with pytest.raises(UpstreamError) as raised:
            await client.count_tokens(SdkCall("CountTokens", "m", b"{}"))

    assert (raised.value.code.name, raised.value.status) == ("model_timeout", 504)
    await server.until_open(0)


async def test_calls_at_once_share_one_opening_of_the_control_plane(
    client: BedrockClient, server: ScriptedServer
) -> None:
    server.says(whole(200, MODELS))

    lists = await asyncio.gather(*(client.list_models() for _ in range(5)))

    assert {models[0]["modelId"] for models in lists} == {"a"}


async def failure(call: Awaitable[object]) -> str:
    """The code that a call fails with, or nothing where it succeeds."""
    try:
        async with patience():
            found = await call
    except UpstreamError as error:
        return error.code.name
    if isinstance(found, Response):
        found.close()
    return ""


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
