"""The faults of docs/local.md, read by the SDK."""

import asyncio
from typing import Any

import httpx
import pytest
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import ClientError, EventStreamError

from tests.local.bedrock import CLAUDE, Bedrock, Json, Local, body_for, frames_of, rejected, text_of
from tests.local.test_families import SERIES
from tests.waiting import patience

BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": [{"role": "user", "content": "Hi"}]}


def _user() -> Json:
    return {"role": "user", "content": [{"text": "Why do wells flow?"}]}


def deltas(events: list[Json]) -> int:
    return sum("contentBlockDelta" in event for event in events)


REFUSALS: dict[str, tuple[str, str, int, str]] = {
    "throttle": ("throttle", "ThrottlingException", 429, "Too many requests"),
    "a bare status": ("http=503", "ServiceUnavailableException", 503, "temporarily unavailable"),
    "a status without a code": ("http=418", "418", 418, ""),
    "a code": ("http=ModelNotReadyException", "ModelNotReadyException", 429, "not ready"),
    "a code about credentials": ("http=ExpiredTokenException", "ExpiredTokenException", 403, "expired"),
    "a message in the header": (
        "throttle+message=Too%20many%20tokens%20per%20day",
        "ThrottlingException",
        429,
        "per day",
    ),
    "a proxy's page": ("http=502", "502", 502, "Bad Gateway"),
    "the end of life": ("eol", "ResourceNotFoundException", 404, "reached the end of its life"),
}


@pytest.mark.parametrize(("fault", "code", "status", "part"), REFUSALS.values(), ids=REFUSALS)
def test_a_call_is_rejected(bedrock: Bedrock, fault: str, code: str, status: int, part: str) -> None:
    for ask in (bedrock.converse, bedrock.stream, lambda: bedrock.invoke(CLAUDE, BODY)):
        with bedrock.fault(fault), pytest.raises(ClientError) as caught:
            ask()
        response = caught.value.response
        assert response["Error"]["Code"] == code
        assert part in response["Error"]["Message"]
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_error_can_have_retry_after(bedrock: Bedrock) -> None:
    with bedrock.fault("throttle+retry-after=7"), pytest.raises(ClientError) as caught:
        bedrock.converse()

    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"


def test_a_model_error_has_its_original_status(bedrock: Bedrock) -> None:
    with bedrock.fault("http=ModelErrorException+status=503"), pytest.raises(ClientError) as caught:
        bedrock.converse()

    assert caught.value.response["originalStatusCode"] == 503


def test_an_exception_rejects_a_whole_answer(bedrock: Bedrock) -> None:
    with bedrock.fault("exception=throttlingException@3"), rejected("Too many requests", "ThrottlingException", 429):
        bedrock.converse()
    with bedrock.fault("exception=modelErrorException+status=503"), pytest.raises(ClientError) as caught:
        bedrock.converse()
    assert caught.value.response["originalStatusCode"] == 503


def test_a_cut_ends_the_body_cleanly_after_its_number_of_deltas(bedrock: Bedrock) -> None:
    with bedrock.fault("cut@5"):
        events = bedrock.stream()

    assert deltas(events) == 5
    assert "messageStop" not in events[-1]


@pytest.mark.parametrize("fault", ["cut@0", "empty"])
def test_a_cut_can_leave_no_frame(bedrock: Bedrock, fault: str) -> None:
    with bedrock.fault(fault):
        assert bedrock.stream() == []


def test_a_cut_can_follow_the_first_frame(bedrock: Bedrock) -> None:
    with bedrock.fault("cut@open"):
        assert bedrock.stream() == [{"messageStart": {"role": "assistant"}}]


def test_a_cut_after_more_deltas_than_there_are_precedes_the_stop(bedrock: Bedrock) -> None:
    with bedrock.fault("cut@9999"):
        events = bedrock.stream()

    assert "contentBlockStop" in events[-1]


def test_a_fault_at_last_precedes_the_metadata(bedrock: Bedrock) -> None:
    with bedrock.fault("cut@last"):
        events = bedrock.stream()

    assert "messageStop" in events[-1]


@pytest.mark.parametrize("fault", ["reset@5", "drop@5"])
async def test_a_connection_breaks(local: Local, fault: str) -> None:
    seen: list[str] = []

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await _note(seen, local, fault)

    assert seen.count("contentBlockDelta") == 5


async def _note(seen: list[str], local: Local, fault: str) -> None:
    async with local.open(fault) as response:
        async for frame in frames_of(response):
            seen.append(str(frame.headers[":event-type"]))  # noqa: PERF401 the frames before the break are needed


@pytest.mark.parametrize("fault", ["drop@headers", "reset@headers", "cut@headers"])
def test_a_connection_breaks_before_the_headers(bedrock: Bedrock, fault: str) -> None:
    from botocore.exceptions import ConnectionClosedError

    with bedrock.fault(fault), pytest.raises(ConnectionClosedError):
        bedrock.stream()


@pytest.mark.parametrize("fault", ["crc@3", "crc-prelude@3", "html", "json"])
def test_invalid_frames_are_detected_by_the_sdk(bedrock: Bedrock, fault: str) -> None:
    with bedrock.fault(fault), pytest.raises(ChecksumMismatch):
        bedrock.stream()


async def test_a_frame_can_be_truncated(local: Local) -> None:
    async with local.open("cut-frame@3") as response:
        whole = b"".join([part async for part in response.aiter_raw()])
    async with local.open("cut@3") as response:
        at_its_end = b"".join([part async for part in response.aiter_raw()])

    assert len(whole) > len(at_its_end)
    length = int.from_bytes(whole[len(at_its_end) : len(at_its_end) + 4], "big")
    assert 0 < len(whole) - len(at_its_end) < length


async def test_a_valid_frame_can_contain_invalid_json(local: Local) -> None:
    async with local.open("garbage-json@2") as response:
        payloads = [frame.payload async for frame in frames_of(response)]

    broken = [payload for payload in payloads if not payload.endswith(b"}")]
    assert len(broken) == 1


def test_an_exception_can_be_the_first_frame(bedrock: Bedrock) -> None:
    with bedrock.fault("exception=throttlingException@0"), pytest.raises(EventStreamError) as caught:
        bedrock.stream()

    assert caught.value.response["Error"]["Code"] == "throttlingException"


async def test_an_exception_has_its_members(local: Local) -> None:
    async with local.open("exception=modelStreamErrorException@2+status=424+message=Odd") as response:
        frames = [frame async for frame in frames_of(response)]

    assert frames[-1].headers[":message-type"] == "exception"
    assert frames[-1].headers[":exception-type"] == "modelStreamErrorException"
    assert frames[-1].payload == b'{"message":"Odd","originalMessage":"Odd","originalStatusCode":424}'


async def test_an_error_frame_has_no_payload(local: Local) -> None:
    async with local.open("error-frame=InternalServerException@1") as response:
        frames = [frame async for frame in frames_of(response)]

    assert frames[-1].headers[":message-type"] == "error"
    assert frames[-1].headers[":error-code"] == "InternalServerException"
    assert frames[-1].payload == b""


def test_a_stream_can_end_without_its_stop(bedrock: Bedrock) -> None:
    with bedrock.fault("no-stop"):
        events = bedrock.stream()

    assert text_of(events) == text_of(bedrock.stream())
    assert not {"messageStop", "metadata"} & {key for event in events for key in event}


def test_a_stream_can_end_without_its_metadata(bedrock: Bedrock) -> None:
    with bedrock.fault("no-metadata"):
        assert "messageStop" in bedrock.stream()[-1]


def test_a_chunk_stream_can_end_without_its_metrics(bedrock: Bedrock) -> None:
    with bedrock.fault("no-metadata"):
        chunks = bedrock.chunks(CLAUDE, BODY)

    assert chunks[-1] == {"type": "message_stop"}


def test_a_stream_can_stop_for_any_reason(bedrock: Bedrock) -> None:
    with bedrock.fault("stop-reason=malformed_tool_use"):
        assert bedrock.stream()[-2]["messageStop"]["stopReason"] == "malformed_tool_use"
        assert bedrock.converse()["stopReason"] == "malformed_tool_use"


HARMLESS = (
    "drip",
    "split",
    "unknown-event@2",
    "pause=0.01@2",
    "slow=0.01",
    "slow-first=0.01",
    "rate=80000",
    "rate=inf",
)


@pytest.mark.parametrize("fault", HARMLESS)
def test_delays_and_split_writes_do_not_change_the_text(bedrock: Bedrock, fault: str) -> None:
    with bedrock.fault(fault):
        events = bedrock.stream()

    assert text_of(events) == text_of(bedrock.stream())
    assert "metadata" in events[-1]


def test_an_unknown_delta_can_be_inserted(bedrock: Bedrock) -> None:
    with bedrock.fault("unknown-delta@2"):
        events = bedrock.stream()

    unknown = [event for event in events if "SDK_UNKNOWN_MEMBER" in event.get("contentBlockDelta", {}).get("delta", {})]
    assert unknown
    assert text_of(events) == text_of(bedrock.stream())


@pytest.mark.parametrize("series", ["claude_3", "nova_1", "command_r", "gpt_oss", "titan"])
def test_an_unknown_chunk_can_be_inserted(bedrock: Bedrock, series: str) -> None:
    model = SERIES[series]
    with bedrock.fault("unknown-delta@1"):
        chunks = bedrock.chunks(model.names[0], body_for(model))

    assert sum("hologram" in str(chunk) for chunk in chunks) == 1


def test_a_chunk_can_contain_an_error_of_anthropic(bedrock: Bedrock) -> None:
    with bedrock.fault("anthropic-error=rate_limit_error@0+message=Slow%20down"):
        chunks = bedrock.chunks(CLAUDE, BODY)

    assert chunks == [{"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}]


@pytest.mark.parametrize("fault", ["drop@1", "cut@3", "cut-frame@2", "reset@0"])
async def test_a_whole_answer_can_be_truncated(local: Local, fault: str) -> None:
    headers = {"X-Artesian-Fault": fault}

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await local.http.post(f"/model/{CLAUDE}/converse", json={"messages": [_user()]}, headers=headers)


@pytest.mark.parametrize("fault", ["html", "json", "empty"])
async def test_another_body_can_replace_the_answer(local: Local, fault: str) -> None:
    headers = {"X-Artesian-Fault": fault}
    answer = await local.http.post(f"/model/{CLAUDE}/converse", json={"messages": [_user()]}, headers=headers)

    assert answer.status_code == 200
    assert b"output" not in answer.content


@pytest.mark.parametrize("fault", ["stall@0", "stall@headers"])
async def test_a_whole_answer_can_stall(local: Local, fault: str) -> None:
    headers = {"X-Artesian-Fault": fault}
    path = f"/model/{CLAUDE}/converse"
    request = asyncio.create_task(local.http.post(path, json={"messages": [_user()]}, headers=headers))
    async with patience():
        call = await local.calls.wait_for_call(1)
    request.cancel()
    await asyncio.wait({request})

    async with patience():
        await call.closed.wait()
    assert call.client_left


async def test_a_whole_answer_can_wait_at_a_gate(local: Local) -> None:
    headers = {"X-Artesian-Fault": "gate@1"}
    path = f"/model/{CLAUDE}/converse"
    request = asyncio.create_task(local.http.post(path, json={"messages": [_user()]}, headers=headers))
    async with patience():
        call = await local.calls.wait_for_call(1)
        await local.calls.wait_until(lambda _: call.waiting)
        call.release()
        answer = await request
    assert answer.json()["stopReason"] == "end_turn"


@pytest.mark.parametrize("fault", ["error-frame@1", "anthropic-error@1"])
async def test_an_error_frame_can_have_a_default_code(local: Local, fault: str) -> None:
    async with local.open(fault) as response:
        frames = [frame async for frame in frames_of(response)]

    assert len(frames) == 3
    assert frames[-1].headers.get(":error-code") == ("InternalServerException" if "frame" in fault else None)


async def test_a_whole_answer_can_be_invalid_json(local: Local) -> None:
    headers = {"X-Artesian-Fault": "garbage-json"}
    answer = await local.http.post(f"/model/{CLAUDE}/converse", json={"messages": [_user()]}, headers=headers)

    with pytest.raises(ValueError, match=r"delimiter|Expecting|Unterminated"):
        answer.json()


def test_a_script_has_a_step_for_each_call_with_the_same_key(bedrock: Bedrock) -> None:
    with bedrock.fault("throttle*2,cut@3,ok;key=a-script"):
        for _ in range(2):
            with rejected("Too many requests", "ThrottlingException", 429):
                bedrock.stream()
        assert deltas(bedrock.stream()) == 3
        assert "metadata" in bedrock.stream()[-1]
        assert "metadata" in bedrock.stream()[-1]


def test_a_fault_can_apply_to_all_calls(bedrock: Bedrock) -> None:
    with bedrock.fault("throttle*;key=for-ever"):
        for _ in range(5):
            with rejected("Too many requests", "ThrottlingException", 429):
                bedrock.converse()


def test_calls_with_another_key_restart_the_script(bedrock: Bedrock) -> None:
    for key in ("one", "two"):
        with bedrock.fault(f"throttle;key={key}"), rejected("Too many", "ThrottlingException", 429):
            bedrock.converse()


def test_the_sdks_own_retries_follow_one_script(url: str, session: Any) -> None:
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 3, "mode": "standard"})
    client = session.client("bedrock-runtime", endpoint_url=url, config=config)
    client.meta.events.register(
        "before-call.bedrock-runtime", lambda params, **_: params["headers"].update({"X-Artesian-Fault": "throttle"})
    )

    answer = client.converse(modelId=CLAUDE, messages=[_user()])

    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    client.close()


async def test_a_stall_lasts_until_the_client_disconnects(local: Local) -> None:
    async with local.open("stall@2") as response:
        frames = frames_of(response)
        for _ in range(3):
            await anext(frames)
        call = local.calls[-1]
        assert call.state == "open"
        assert call.deltas == 2

    async with patience():
        await call.closed.wait()
    assert call.client_left


async def test_a_rate_in_the_header_paces_one_request(local: Local) -> None:
    async with local.open("rate=20") as slow:
        paced = frames_of(slow)
        await anext(paced)
        async with local.open("ok") as fast:
            whole = [frame async for frame in frames_of(fast)]
        assert local.calls[0].state == "open"  # the other call has ended

    assert whole[-1].headers[":event-type"] == "metadata"


async def test_the_header_is_ignored_if_faults_are_disabled() -> None:
    from service.local import serve_local

    async with serve_local(rate=0) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        headers = {"X-Artesian-Fault": "throttle"}
        answer = await http.post(f"/model/{CLAUDE}/converse", json={"messages": [_user()]}, headers=headers)
        hidden = await http.get("/_local/calls")

    assert answer.status_code == 200
    assert hidden.status_code == 404
