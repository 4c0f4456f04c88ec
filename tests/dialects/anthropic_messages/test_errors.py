"""Failures in Anthropic's shape, as its client raises them."""

from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from service.dialects.anthropic_messages import error
from service.errors import CODES, FieldError, InvalidRequest, ServiceError
from tests.dialects.served import Served

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}

CLASSES: dict[str, tuple[type[Exception], str]] = {
    "validation": (anthropic.BadRequestError, "invalid_request_error"),
    "unauthenticated": (anthropic.AuthenticationError, "authentication_error"),
    "forbidden": (anthropic.PermissionDeniedError, "permission_error"),
    "access_denied": (anthropic.PermissionDeniedError, "permission_error"),
    "model_not_found": (anthropic.NotFoundError, "not_found_error"),
    "gone": (anthropic.NotFoundError, "not_found_error"),
    "conflict": (anthropic.ConflictError, "invalid_request_error"),
    "too_large": (anthropic.RequestTooLargeError, "request_too_large"),
    "rate_limited": (anthropic.RateLimitError, "rate_limit_error"),
    "throttled": (anthropic.RateLimitError, "rate_limit_error"),
    "overloaded": (anthropic.OverloadedError, "overloaded_error"),
    "draining": (anthropic.OverloadedError, "overloaded_error"),
    "upstream_unavailable": (anthropic.OverloadedError, "overloaded_error"),
    "upstream_truncated": (anthropic.InternalServerError, "api_error"),
    "deadline_exceeded": (anthropic.GatewayTimeoutError, "timeout_error"),
    "internal": (anthropic.InternalServerError, "api_error"),
}


@pytest.mark.parametrize("code", CLASSES)
def test_the_client_raises_its_class(served: Served, code: str) -> None:
    expected, kind = CLASSES[code]
    status, body, headers = error(ServiceError(code, "So it is."), request_id="req_1")
    url = served.json(body, status, headers)
    with Anthropic(base_url=url, api_key="k", max_retries=0) as client, pytest.raises(expected) as raised:
        client.messages.create(**ASKED)
    assert isinstance(raised.value, anthropic.APIStatusError)
    assert (raised.value.type, raised.value.api_message, raised.value.request_id) == (kind, "So it is.", "req_1")
    assert raised.value.body == {
        "type": "error",
        "error": {"type": kind, "message": "So it is."},
        "request_id": "req_1",
    }


@pytest.mark.parametrize("code", [row.name for row in CODES.values() if not row.retryable or row.retried])
def test_what_is_not_worth_repeating_is_asked_for_once(served: Served, code: str) -> None:
    status, body, headers = error(ServiceError(code))
    url = served.json(body, status, headers)
    with Anthropic(base_url=url, api_key="k") as client, pytest.raises(anthropic.APIStatusError):
        client.messages.create(**ASKED)
    assert len(served.asked(url)) == 1


def test_a_wrong_field_is_told_in_the_message() -> None:
    status, body, _ = error(InvalidRequest("system: Only text may stand here.", [FieldError("system", "Only text")]))
    assert status == 400
    assert body["error"] == {"type": "invalid_request_error", "message": "system: Only text may stand here."}
