"""Failures in Anthropic's shape."""

from typing import Any

from service.deltas import Failed
from service.dialects.refusal import Answer, KnownRefusal, Refusal
from service.errors import ServiceError

Json = dict[str, Any]

_OVERLOADED = 529
_STATUSES = {503: _OVERLOADED}  # Anthropic's own number for "full": its SDKs have a class for it, and clients act on it
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    _OVERLOADED: "overloaded_error",
}
_SERVER = 500  # from here on the fault is ours or Bedrock's


def error(failure: ServiceError | Failed, *, request_id: str | None = None) -> Answer:
    """Tell a failure as HTTP: status, body, headers."""
    refusal = Refusal.of(failure)
    status = _STATUSES.get(refusal.status, refusal.status)
    headers = refusal.headers | ({"request-id": request_id} if request_id else {})
    return status, error_body(failure, request_id=request_id), headers


def error_body(failure: ServiceError | Failed, *, request_id: str | None = None) -> Json:
    """Tell a failure as JSON: before the stream it is the body, in it the `error` event."""
    refusal = Refusal.of(failure)
    status = _STATUSES.get(refusal.status, refusal.status)
    kind = _TYPES.get(status, "api_error" if status >= _SERVER else "invalid_request_error")
    told: Json = {"type": kind, "message": refusal.message}
    if isinstance(failure, KnownRefusal):
        told["details"] = {"error_code": failure.theirs}
    body: Json = {"type": "error", "error": told}
    return body | ({"request_id": request_id} if request_id else {})
