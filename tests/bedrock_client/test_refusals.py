"""AWS's words and what becomes of them, before a stream and in it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from service.bedrock.aws_errors import WORDS, anthropic_error, bare, broken_off, is_failure, refused
from service.bedrock.eventstream import FrameDecoder, encode_error, encode_exception
from service.errors import UpstreamError

OPERATIONS = {
    "bedrock-runtime": [
        "Converse",
        "ConverseStream",
        "InvokeModel",
        "InvokeModelWithResponseStream",
        "CountTokens",
        "ApplyGuardrail",
    ],
    "bedrock": ["ListFoundationModels", "ListInferenceProfiles", "GetInferenceProfile"],
}


def modelled() -> dict[str, set[int]]:
    """Every exception of the operations we use, with the statuses that the service models give it."""
    found: dict[str, set[int]] = {}
    for service, operations in OPERATIONS.items():
        model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
        for name in operations:
            operation = model.operation_model(name)
            stream = operation.get_event_stream_output()
            events = stream.members.values() if stream else ()
            for shape in [*operation.error_shapes, *(event for event in events if event.metadata.get("exception"))]:
                found.setdefault(shape.name, set()).add(shape.metadata.get("error", {}).get("httpStatusCode", 0))
    return found


@pytest.mark.parametrize("name", sorted(modelled()))
def test_every_exception_of_the_service_model_has_a_row(name: str) -> None:
    assert bare(name) in WORDS


HTTP = {
    "ValidationException": (400, "validation", 400, False),
    "ServiceQuotaExceededException": (400, "quota_exceeded", 429, False),
    "AccessDeniedException": (403, "access_denied", 403, False),
    "ExpiredTokenException": (403, "access_denied", 403, False),
    "UnrecognizedClientException": (403, "access_denied", 403, False),
    "InvalidSignatureException": (403, "access_denied", 403, False),
    "ResourceNotFoundException": (404, "model_not_found", 404, False),
    "FTUFormNotFilled": (404, "model_not_found", 404, False),
    "ModelTimeoutException": (408, "model_timeout", 504, True),
    "ModelErrorException": (424, "model_error", 502, True),
    "ModelStreamErrorException": (424, "model_error", 502, True),
    "ThrottlingException": (429, "throttled", 429, True),
    "ModelNotReadyException": (429, "model_not_ready", 429, True),
    "InternalServerException": (500, "upstream_unavailable", 503, True),
    "ServiceUnavailableException": (503, "upstream_unavailable", 503, True),
}


@pytest.mark.parametrize(("word", "row"), HTTP.items(), ids=HTTP)
def test_an_http_error_is_told_by_its_header(word: str, row: tuple[int, str, int, bool]) -> None:
    status, code, ours, retried = row
    error = refused(
        status,
        {"x-amzn-errortype": f"{word}:http://internal.amazon.com/coral/com.amazon.bedrock/", "x-amzn-requestid": "r1"},
        b'{"message":"A sentence."}',
    )

    assert (error.code.name, error.status, error.retried) == (code, ours, retried)
    assert (error.aws_code, error.aws_message, error.request_id) == (word, "A sentence.", "r1")


@pytest.mark.parametrize("body", [b'{"__type":"com.amazon#ThrottlingException"}', b'{"code":"ThrottlingException"}'])
def test_an_http_error_without_the_header_is_told_by_its_body(body: bytes) -> None:
    assert refused(429, {}, body).code.name == "throttled"


@pytest.mark.parametrize(
    ("status", "code"),
    {
        400: "validation",
        401: "access_denied",
        403: "access_denied",
        404: "model_not_found",
        408: "model_timeout",
        413: "validation",
        424: "model_error",
        429: "throttled",
        500: "upstream_unavailable",
        502: "upstream_unavailable",
        503: "upstream_unavailable",
        504: "upstream_unavailable",
        529: "upstream_unavailable",
    }.items(),
)
def test_html_of_a_proxy_is_told_by_its_status_and_never_shown(status: int, code: str) -> None:
    error = refused(status, {"content-type": "text/html"}, b"<html><body>nginx</body></html>")

    assert error.code.name == code
    assert "html" not in error.message
    assert error.aws_message is None


@pytest.mark.parametrize(
    "spelling", ["ThrottlingException", "throttlingException", "THROTTLINGEXCEPTION", "Throttling", "throttling"]
)
def test_the_casing_of_a_word_does_not_matter(spelling: str) -> None:
    assert frame_error(encode_exception(spelling, b"{}")).code.name == "throttled"


FRAMES = {
    "internalServerException": ("upstream_unavailable", True),
    "modelStreamErrorException": ("model_error", True),
    "validationException": ("validation", False),
    "throttlingException": ("throttled", True),
    "serviceUnavailableException": ("upstream_unavailable", True),
    "modelTimeoutException": ("model_timeout", True),
    "accessDeniedException": ("access_denied", False),
    "serviceQuotaExceededException": ("quota_exceeded", False),
    "modelNotReadyException": ("model_not_ready", True),
    "brandNewException": ("model_error", True),
}


@pytest.mark.parametrize(("word", "row"), FRAMES.items(), ids=FRAMES)
def test_an_exception_frame_has_the_code_of_its_word(word: str, row: tuple[str, bool]) -> None:
    error = frame_error(encode_exception(word, b'{"message":"Detail."}'))

    assert (error.code.name, error.retried) == row
    assert (error.aws_code, error.aws_message, error.request_id) == (word, "Detail.", "r2")


def test_an_error_frame_has_its_word_and_sentence_in_headers() -> None:
    error = frame_error(encode_error("InternalFailure", "Something broke."))

    assert (error.code.name, error.aws_code, error.aws_message) == (
        "upstream_unavailable",
        "InternalFailure",
        "Something broke.",
    )


@pytest.mark.parametrize(("original", "retried"), [(None, True), (500, True), (503, True), (400, False), (429, False)])
def test_a_model_that_refused_is_not_asked_again(original: int | None, retried: bool) -> None:  # noqa: FBT001 - a row
    said: dict[str, Any] = {"message": "m", "originalStatusCode": original}
    frame = frame_error(encode_exception("modelStreamErrorException", msgspec.json.encode(said)))
    http = refused(424, {"x-amzn-errortype": "ModelErrorException"}, msgspec.json.encode(said))

    assert [frame.retried, http.retried] == [retried, retried]
    assert [frame.original_status, http.original_status] == [original, original]


@pytest.mark.parametrize(
    ("word", "sentence", "code"),
    [
        ("ThrottlingException", "Too many tokens per day, please wait before trying again.", "quota_exceeded"),
        ("ThrottlingException", "Too many tokens, please wait before trying again.", "throttled"),
        ("ThrottlingException", "Too many requests, please wait before trying again.", "throttled"),
        ("ValidationException", "The provided model identifier is invalid.", "model_not_found"),
        ("ValidationException", "Could not resolve the foundation model from the provided id.", "model_not_found"),
        ("ResourceNotFoundException", "This model version has reached the end of its life.", "model_not_found"),
        (
            "ResourceNotFoundException",
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model.",
            "model_not_found",
        ),
        ("ValidationException", "Invocation of model with on-demand throughput isn't supported.", "validation"),
    ],
)
def test_some_sentences_say_more_than_their_word(word: str, sentence: str, code: str) -> None:
    error = refused(400, {"x-amzn-errortype": word}, msgspec.json.encode({"message": sentence}))

    assert error.code.name == code
    assert (error.message == sentence) == (code in {"validation", "model_not_found"})


def test_a_missing_use_case_form_is_named_even_where_bedrock_says_nothing() -> None:
    assert "use-case form" in refused(404, {"x-amzn-errortype": "FTUFormNotFilled"}, b"").message


@pytest.mark.parametrize("word", ["ThrottlingException", "ModelErrorException", "InternalServerException"])
def test_bedrocks_own_sentence_stays_in_the_log_where_it_is_not_the_callers(word: str) -> None:
    error = refused(500, {"x-amzn-errortype": word}, b'{"message":"secret detail"}')

    assert "secret detail" not in error.message
    assert error.aws_message == "secret detail"


def test_account_numbers_are_cut_out_of_sentences() -> None:
    sentence = (
        "User: arn:aws:sts::123456789012:assumed-role/Dev/ada is not authorized to perform: bedrock:InvokeModel on "
        "resource: arn:aws:bedrock:us-east-1:210987654321:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0"
    )
    error = refused(403, {"x-amzn-errortype": "AccessDeniedException"}, msgspec.json.encode({"message": sentence}))

    assert error.aws_message == error.message
    assert "arn:aws:sts::*:assumed-role/Dev/ada" in error.message
    assert "us-east-1:*:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0" in error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"x-amz-retry-after": "-"}, None),
        ({"retry-after": "2", "x-amz-retry-after": "9000"}, 2.0),
        ({}, None),
    ],
)
def test_bedrocks_wish_to_be_left_alone_is_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert refused(429, headers, b"").retry_after == seconds


def test_a_date_to_come_back_at_is_seconds_from_now() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=60), usegmt=True)

    assert 50 < (refused(503, {"retry-after": soon}, b"").retry_after or 0) <= 60
    assert refused(503, {"retry-after": past}, b"").retry_after == 0


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("rate_limit_error", "throttled"),
        ("overloaded_error", "upstream_unavailable"),
        ("api_error", "upstream_unavailable"),
        ("timeout_error", "model_timeout"),
        ("invalid_request_error", "validation"),
        ("permission_error", "access_denied"),
        ("not_found_error", "model_not_found"),
        ("hologram_error", "model_error"),
    ],
)
def test_an_error_object_of_anthropics_has_our_code(kind: str, code: str) -> None:
    error = anthropic_error({"type": kind, "message": "m"})

    assert (error.code.name, error.aws_code, error.aws_message) == (code, kind, "m")


@pytest.mark.parametrize("odd", [None, "overloaded", [], {}, {"type": 7, "message": {"a": 1}}])
def test_an_error_object_in_no_shape_we_know_is_still_an_error(odd: object) -> None:
    assert anthropic_error(odd).code.name == "model_error"


def test_an_event_type_may_be_an_exceptions_name() -> None:
    assert is_failure("throttlingException")
    assert not is_failure("messageStop")


def frame_error(wire: bytes) -> UpstreamError:
    [frame] = FrameDecoder().feed(wire)
    return broken_off(frame, "r2")
