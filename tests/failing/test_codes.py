"""Each failure of Bedrock, and the error that the client receives (docs/reference.md, "Errors").

Before the first event it is an HTTP error, after it the last event; a whole answer is always an HTTP error.
"""

from typing import NamedTuple

import httpx
import pytest

from tests.harness import Json, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Told(NamedTuple):
    code: str
    status: int
    retryable: bool


THROTTLED = Told("throttled", 429, True)
NOT_READY = Told("model_not_ready", 429, True)
QUOTA = Told("quota_exceeded", 429, False)
TIMEOUT = Told("model_timeout", 504, True)
MODEL_ERROR = Told("model_error", 502, True)
UNAVAILABLE = Told("upstream_unavailable", 503, True)
TRUNCATED = Told("upstream_truncated", 502, True)
CORRUPT = Told("upstream_corrupt", 502, True)
STALLED = Told("upstream_stalled", 504, True)
VALIDATION = Told("validation", 400, False)
DENIED = Told("access_denied", 403, False)
NOT_FOUND = Told("model_not_found", 404, False)

INSTEAD = {
    "throttle": THROTTLED,
    "http=TooManyRequestsException": THROTTLED,
    "http=429": THROTTLED,
    "throttle+message=Too%20many%20tokens%20per%20day%2C%20please%20wait": QUOTA,
    "http=ServiceQuotaExceededException": QUOTA,
    "http=ModelNotReadyException": NOT_READY,
    "timeout": TIMEOUT,
    "http=ModelErrorException": MODEL_ERROR,
    "http=ServiceUnavailableException": UNAVAILABLE,
    "http=InternalServerException": UNAVAILABLE,
    "http=500": UNAVAILABLE,
    "http=502": UNAVAILABLE,
    "http=503": UNAVAILABLE,
    "drop@headers": UNAVAILABLE,
    "reset@headers": UNAVAILABLE,
    "http=ValidationException": VALIDATION,
    "http=400": VALIDATION,
    "http=AccessDeniedException": DENIED,
    "http=ExpiredTokenException": DENIED,
    "http=UnrecognizedClientException": DENIED,
    "http=InvalidSignatureException": DENIED,
    "http=403": DENIED,
    "http=ResourceNotFoundException": NOT_FOUND,
    "http=ValidationException+message=The%20provided%20model%20identifier%20is%20invalid.": NOT_FOUND,
    "eol": NOT_FOUND,
    "html": CORRUPT,
    "json": CORRUPT,
    "empty": TRUNCATED,
    "stall": STALLED,
}
"""Faults before the first frame."""

FRAMES = {
    "exception=throttlingException": THROTTLED,
    "exception=ThrottlingException": THROTTLED,
    "exception=THROTTLINGEXCEPTION": THROTTLED,
    "exception=throttlingException{at}+message=Too%20many%20tokens%20per%20day": QUOTA,
    "exception=serviceQuotaExceededException": QUOTA,
    "exception=modelTimeoutException": TIMEOUT,
    "exception=modelStreamErrorException": MODEL_ERROR,
    "exception=modelStreamErrorException{at}+status=503": MODEL_ERROR,
    "exception=somethingNobodyHasMetException": MODEL_ERROR,
    "exception=internalServerException": UNAVAILABLE,
    "exception=serviceUnavailableException": UNAVAILABLE,
    "exception=validationException": VALIDATION,
    "exception=accessDeniedException": DENIED,
    "error-frame=InternalServerException": UNAVAILABLE,
    "error-frame=ThrottlingException": THROTTLED,
    "cut": TRUNCATED,
    "cut-frame": TRUNCATED,
    "drop": TRUNCATED,
    "reset": TRUNCATED,
    "crc": CORRUPT,
    "crc-prelude": CORRUPT,
    "garbage-json": CORRUPT,
    "stall": STALLED,
}
"""Faults in the middle. They may stand at any delta, at 0 as the first frame of a 200."""


def at(fault: str, delta: int) -> str:
    return fault.replace("{at}", f"@{delta}") if "{at}" in fault else f"{fault}@{delta}"


@pytest.mark.parametrize(("fault", "told"), INSTEAD.items(), ids=INSTEAD)
async def test_a_refusal_is_an_http_error(once: Service, fault: str, told: Told) -> None:
    for path in ("/api/generate", "/api/generate/stream"):
        check(await ask(once, path, fault), told)


@pytest.mark.parametrize(("fault", "told"), FRAMES.items(), ids=FRAMES)
async def test_a_first_frame_that_fails_is_an_http_error_too(once: Service, fault: str, told: Told) -> None:
    for path in ("/api/generate", "/api/generate/stream"):
        check(await ask(once, path, at(fault, 0)), told)


@pytest.mark.parametrize("api", ["converse", "invoke"])
@pytest.mark.parametrize(("fault", "told"), FRAMES.items(), ids=FRAMES)
async def test_a_failure_in_the_middle_is_the_last_event(once: Service, api: str, fault: str, told: Told) -> None:
    events = await once.stream(fault=at(fault, 2), api=api, on_interruption="fail")

    last = events[-1]
    assert [event.name for event in events] == ["start", "message", "message", "message"]
    assert (last.data["code"], last.data["status"], last.data["retryable"]) == told
    assert last.data["partial"] is True
    assert last.data["stream_id"] == last.id.rpartition("-")[0]
    assert set(last.data) == {"error", "code", "status", "retryable", "partial", "stream_id"}
    assert last.data["error"].endswith((".", "…"))


@pytest.mark.parametrize(("fault", "told"), FRAMES.items(), ids=FRAMES)
async def test_a_whole_answer_that_broke_off_is_an_http_error(once: Service, fault: str, told: Told) -> None:
    check(await ask(once, "/api/generate", at(fault, 2), on_interruption="fail"), told)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("overloaded_error", UNAVAILABLE),
        ("api_error", UNAVAILABLE),
        ("rate_limit_error", THROTTLED),
        ("invalid_request_error", VALIDATION),
        ("timeout_error", TIMEOUT),
    ],
)
async def test_anthropics_own_error_object_is_told_apart_too(once: Service, kind: str, told: Told) -> None:
    check(await ask(once, "/api/generate/stream", f"anthropic-error={kind}", api="invoke"), told)
    events = await once.stream(fault=f"anthropic-error={kind}@1", api="invoke", on_interruption="fail")
    assert (events[-1].data["code"], events[-1].data["status"], events[-1].data["retryable"]) == told


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ResourceNotFoundException"])
async def test_bedrocks_own_sentence_is_passed_on_where_it_helps(once: Service, code: str) -> None:
    message = "User: arn:aws:iam::123456789012:user/x may not ask model m of 210987654321, says Bedrock."
    fault = f"http={code}+message={message.replace(' ', '%20').replace(',', '%2C')}"

    problem = (await ask(once, "/api/generate", fault)).json()

    assert "may not ask model m" in problem["error"]
    assert "123456789012" not in problem["error"]
    assert "210987654321" not in problem["error"]


@pytest.mark.parametrize("code", ["ThrottlingException", "ModelErrorException", "InternalServerException"])
async def test_otherwise_the_sentence_is_ours(once: Service, code: str) -> None:
    fault = f"http={code}+message=internal%20detail%20of%20123456789012"

    assert "internal detail" not in (await ask(once, "/api/generate", fault)).text


async def test_a_model_at_the_end_of_its_life_is_said_to_be(once: Service) -> None:
    problem = (await ask(once, "/api/generate", "eol")).json()

    assert "end of its life" in problem["error"]


async def test_an_unknown_model_is_told_with_the_nearest_names(once: Service) -> None:
    response = await ask(once, "/api/generate", None, model_id="anthropic.claude-haiku-4-5")

    check(response, NOT_FOUND)
    assert "anthropic.claude-haiku-4-5-20251001-v1:0" in response.json()["error"]


@pytest.mark.parametrize("fault", ["throttle+retry-after=7", "http=503+retry-after=7", "http=503+retry-after=6.2"])
async def test_bedrocks_word_on_when_to_come_back_is_passed_on(once: Service, fault: str) -> None:
    assert (await ask(once, "/api/generate", fault)).headers["retry-after"] == "7"


@pytest.mark.parametrize("fault", ["throttle", "http=ModelNotReadyException", "http=503"])
async def test_where_waiting_helps_a_refusal_says_so(once: Service, fault: str) -> None:
    assert int((await ask(once, "/api/generate", fault)).headers["retry-after"]) >= 1


async def test_what_waiting_does_not_help_has_no_word_on_it(once: Service) -> None:
    for fault in ("http=ValidationException", "http=AccessDeniedException", "http=ServiceQuotaExceededException"):
        assert "retry-after" not in (await ask(once, "/api/generate", fault)).headers


async def test_an_unknown_event_or_delta_is_passed_over(once: Service) -> None:
    plain = await once.stream()
    for api in ("converse", "invoke"):
        events = await once.stream(fault="unknown-event@1+unknown-delta@2", api=api)
        assert [event.data for event in events[1:-1]] == [event.data for event in plain[1:-1]]


async def ask(service: Service, path: str, fault: str | None, **body: object) -> httpx.Response:
    headers = {"X-Artesian-Fault": fault} if fault else {}
    return await service.http.post(path, json={"prompt": "Hi"} | body, headers=headers)


def check(response: httpx.Response, told: Told) -> None:
    problem: Json = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["code"], response.status_code, problem["retryable"]) == told
    assert problem["status"] == response.status_code
    assert problem["error"] == problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["type"]
    assert problem["title"]
