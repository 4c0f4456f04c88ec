"""Failures in OpenAI's shape, as its client raises them."""

from typing import Any

import openai
import pytest
from openai import OpenAI

from service.deltas import Failed
from service.dialects.openai_chat import error
from service.errors import CODES, FieldError, InvalidRequest, ServiceError, UpstreamError
from tests.dialects.served import Served

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

CLASSES: dict[str, tuple[type[Exception], str]] = {
    "validation": (openai.BadRequestError, "invalid_request_error"),
    "unauthenticated": (openai.AuthenticationError, "authentication_error"),
    "forbidden": (openai.PermissionDeniedError, "permission_error"),
    "access_denied": (openai.PermissionDeniedError, "permission_error"),
    "not_found": (openai.NotFoundError, "invalid_request_error"),
    "model_not_found": (openai.NotFoundError, "invalid_request_error"),
    "gone": (openai.NotFoundError, "invalid_request_error"),
    "conflict": (openai.ConflictError, "invalid_request_error"),
    "too_large": (openai.APIStatusError, "invalid_request_error"),
    "rate_limited": (openai.RateLimitError, "rate_limit_error"),
    "throttled": (openai.RateLimitError, "rate_limit_error"),
    "quota_exceeded": (openai.RateLimitError, "rate_limit_error"),
    "overloaded": (openai.InternalServerError, "server_error"),
    "draining": (openai.InternalServerError, "server_error"),
    "upstream_truncated": (openai.InternalServerError, "server_error"),
    "deadline_exceeded": (openai.InternalServerError, "server_error"),
    "internal": (openai.InternalServerError, "server_error"),
}


@pytest.mark.parametrize("code", CLASSES)
def test_the_client_raises_its_class(served: Served, code: str) -> None:
    expected, kind = CLASSES[code]
    status, body, headers = error(ServiceError(code, "So it is."), request_id="req_1")
    url = served.json(body, status, headers)
    with OpenAI(base_url=url, api_key="k", max_retries=0) as client, pytest.raises(expected) as raised:
        client.chat.completions.create(**ASKED)
    assert isinstance(raised.value, openai.APIStatusError)
    assert (raised.value.code, raised.value.type, raised.value.request_id) == (code, kind, "req_1")
    assert raised.value.body == {"message": "So it is.", "type": kind, "param": None, "code": code}


@pytest.mark.parametrize("code", [row.name for row in CODES.values() if not row.retryable or row.retried])
def test_what_is_not_worth_repeating_is_asked_for_once(served: Served, code: str) -> None:
    status, body, headers = error(ServiceError(code))
    url = served.json(body, status, headers)
    with OpenAI(base_url=url, api_key="k") as client, pytest.raises(openai.APIStatusError):
        client.chat.completions.create(**ASKED)
    assert len(served.asked(url)) == 1


def test_what_is_worth_repeating_is_repeated_after_its_time(served: Served) -> None:
    status, body, headers = error(ServiceError("rate_limited", retry_after=0.2))
    assert headers == {"Retry-After": "1"}
    url = served.json(body, status, headers | {"retry-after-ms": "1"})  # so that the test need not wait
    with OpenAI(base_url=url, api_key="k") as client, pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**ASKED)
    assert len(served.asked(url)) == 3


def test_a_wrong_field_is_named() -> None:
    failure = InvalidRequest("n: This must be 1.", [FieldError("n", "This must be 1.")])
    status, body, _ = error(failure)
    assert status == 400
    assert body["error"]["param"] == "n"


def test_what_bedrock_was_not_asked_again_may_be_repeated_by_the_client() -> None:
    assert "x-should-retry" not in error(UpstreamError("upstream_stalled", retried=False))[2]


def test_a_failed_stream_is_refused_like_an_exception() -> None:
    end = Failed("throttled", "Bedrock is throttling this model.", 429, retryable=True, partial=False, retried=True)
    assert error(end) == error(ServiceError("throttled"))
