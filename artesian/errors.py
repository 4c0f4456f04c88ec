"""The client's exceptions: one family, one class for each kind of HTTP status.

ArtesianError          any failure; `code` is the service's (docs/reference.md, "Errors")
+ BadRequest           400, 415, 422 and other 4xx: the request is wrong
  - TooLarge           413
+ AuthenticationError  401
+ PermissionDenied     403
+ NotFound             404
  - Gone               410: an unknown or expired stream
+ Conflict             409
+ RateLimited          429; `retry_after` in seconds
+ ServerError          5xx, also as the last event of a stream
  - ServiceUnavailable 503
+ Unreachable          no service at that address: `unreachable`
+ ConnectionLost       the connection broke and could not be restored: `disconnected`

A response that is not from Artesian (a proxy's page, for example) has the code `unexpected_answer`.
"""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class ArtesianError(Exception):
    """Any failure. `status` is None without an HTTP response; `retry_after` is in seconds.

    `partial`: a part of the answer was received, and `text` is its text. `fields` lists the invalid fields of a
    request with what is wrong. `str(error)` has the message, status, code and request id.
    """

    code = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retryable: bool = False,
        request_id: str | None = None,
        retry_after: float | None = None,
        partial: bool = False,
        stream_id: str | None = None,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status
        self.retryable = retryable
        self.request_id = request_id
        self.retry_after = retry_after
        self.partial = partial
        self.stream_id = stream_id
        self.fields = fields
        self.text = ""

    def __str__(self) -> str:
        """Return the message, with the status, code and request id that are known."""
        status = f"HTTP {self.status}" if self.status else ""
        request = f"request {self.request_id}" if self.request_id else ""
        return f"{self.message} ({', '.join(filter(None, (status, self.code, request)))})"


class BadRequest(ArtesianError):
    """The request is wrong (HTTP 400, 415, 422): change it before you send it again."""


class TooLarge(BadRequest):
    """The request is too large (HTTP 413)."""


class AuthenticationError(ArtesianError):
    """The API key is missing or invalid (HTTP 401)."""


class PermissionDenied(ArtesianError):
    """The key, or the service's AWS identity, does not permit this (HTTP 403)."""


class NotFound(ArtesianError):
    """Unknown model, conversation or path (HTTP 404)."""


class Gone(NotFound):
    """Unknown or expired stream (HTTP 410)."""


class Conflict(ArtesianError):
    """Another request is in progress (HTTP 409)."""


class RateLimited(ArtesianError):
    """A rate limit of the key or of Bedrock (HTTP 429)."""


class ServerError(ArtesianError):
    """The service or the model failed (HTTP 5xx)."""


class ServiceUnavailable(ServerError):
    """The service is full, shutting down, or cannot reach Bedrock (HTTP 503)."""


class Unreachable(ArtesianError):
    """No service answers at the address; nothing was sent."""

    code = "unreachable"


class ConnectionLost(ArtesianError):
    """The connection broke and could not be restored; `attach(stream_id)` resumes the generation if it still runs."""

    code = "disconnected"


_BY_STATUS: dict[int, type[ArtesianError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    429: RateLimited,
    503: ServiceUnavailable,
}


def class_of(status: int | None) -> type[ArtesianError]:
    """Return the class of an HTTP status."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is None or status < 400:  # noqa: PLR2004 - where HTTP's errors begin
        return ArtesianError
    return BadRequest if status < 500 else ServerError  # noqa: PLR2004 - where HTTP's server errors begin


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> ArtesianError:
    """Convert an HTTP error response."""
    try:
        members = json.loads(body)
    except ValueError:
        members = {}
    members = members if isinstance(members, dict) else {}
    retry_after = headers.get("retry-after", "")
    wait_s = float(retry_after) if retry_after.isdecimal() else None
    request_id = headers.get("x-request-id")
    if not isinstance(members.get("code"), str):
        return class_of(status)(
            f"The response is not from Artesian: HTTP {status}.",
            code="unexpected_answer",
            status=status,
            request_id=request_id,
            retry_after=wait_s,
        )
    return class_of(status)(
        str(members.get("error") or members.get("detail") or members["code"]),
        code=members["code"],
        status=status,
        retryable=members.get("retryable") is True,
        request_id=members.get("request_id") or request_id,
        retry_after=wait_s,
        fields=tuple((str(each.get("field")), str(each.get("message"))) for each in members.get("errors", ())),
    )


def from_event(members: Json, request_id: str | None) -> ArtesianError:
    """Convert the error event that ends a stream."""
    return class_of(members.get("status"))(
        str(members["error"]),
        code=str(members.get("code") or "internal"),
        status=members.get("status"),
        retryable=members.get("retryable") is True,
        request_id=request_id,
        partial=members.get("partial") is True,
        stream_id=members.get("stream_id"),
    )
