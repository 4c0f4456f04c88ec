"""Failures in OpenAI's shape, for Chat Completions and for Responses."""

from typing import Any

from service.deltas import Failed
from service.dialects.refusal import Answer, KnownRefusal, Refusal
from service.errors import ServiceError

Json = dict[str, Any]

_SERVER = 500  # from here on the fault is ours or Bedrock's
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error(failure: ServiceError | Failed, *, request_id: str | None = None) -> Answer:
    """Tell a failure as HTTP: status, body, headers."""
    refusal = Refusal.of(failure)
    headers = refusal.headers | ({"x-request-id": request_id} if request_id else {})
    return refusal.status, error_body(failure), headers


def error_body(failure: ServiceError | Failed) -> Json:
    """Tell a failure as JSON: before the stream it is the body, in it the last chunk."""
    refusal = Refusal.of(failure)
    kind = "server_error" if refusal.status >= _SERVER else _TYPES.get(refusal.status, "invalid_request_error")
    code = failure.theirs if isinstance(failure, KnownRefusal) else refusal.code
    return {"error": {"message": refusal.message, "type": kind, "param": refusal.field, "code": code}}
