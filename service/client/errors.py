"""What can go wrong, as one family of exceptions.

ArtesianError        the service said so: `code` is one of its own (docs/reference.md, "Errors")
+ Unreachable        no service answers at that address: `unreachable`
+ ConnectionLost     the connection broke, and coming back to the stream did not work either: `disconnected`

An answer that is none of Artesian's (a proxy's page, say) has the code `unexpected_answer`.
"""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class ArtesianError(Exception):
    """A failure. `status` is None where no HTTP answer came; `retry_after` is in seconds.

    `partial`: some of an answer had come, and `text` is what had been said by then. `fields` names what is wrong with
    a request.
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


class Unreachable(ArtesianError):
    """No service answers there: nothing was asked."""

    code = "unreachable"


class ConnectionLost(ArtesianError):
    """The connection broke for good. The generation may still run: `attach(stream_id)` comes back to it."""

    code = "disconnected"


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> ArtesianError:
    """Read an HTTP error."""
    told = _object(body)
    request_id = headers.get("x-request-id")
    if not isinstance(told.get("code"), str):
        return ArtesianError(
            f"The answer is none of Artesian's: HTTP {status}.",
            code="unexpected_answer",
            status=status,
            request_id=request_id,
            retry_after=_seconds(headers.get("retry-after")),
        )
    return ArtesianError(
        str(told.get("error") or told.get("detail") or told["code"]),
        code=told["code"],
        status=status,
        retryable=told.get("retryable") is True,
        request_id=told.get("request_id") or request_id,
        retry_after=_seconds(headers.get("retry-after")),
        fields=tuple((str(each.get("field")), str(each.get("message"))) for each in told.get("errors", ())),
    )


def from_event(told: Json, request_id: str | None) -> ArtesianError:
    """Read a stream's failure, its last event."""
    return ArtesianError(
        str(told["error"]),
        code=str(told.get("code") or "internal"),
        status=told.get("status"),
        retryable=told.get("retryable") is True,
        request_id=request_id,
        partial=told.get("partial") is True,
        stream_id=told.get("stream_id"),
    )


def _object(body: bytes) -> Json:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdecimal() else None
