"""What all formats of others say of a failure: whether it came as an exception or as a stream's last event."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from service.deltas import Failed
from service.errors import FieldError, InvalidRequest, ServiceError

Json = dict[str, Any]
Answer = tuple[int, Json, dict[str, str]]
"""A refusal as HTTP: status, body, headers."""

# These formats know no 422 and no 410: their clients have a class for what is wrong and one for what is not there.
_UNPROCESSABLE = 422
_STATUSES = {_UNPROCESSABLE: 400, 410: 404}


def _status(failure: ServiceError | Failed, fields: Sequence[FieldError]) -> int:
    """What is wrong with the body is 400 there; an `Idempotency-Key` that came with another body stays 422."""
    if failure.status == _UNPROCESSABLE and isinstance(failure, InvalidRequest) and not fields:
        return failure.status
    return _STATUSES.get(failure.status, failure.status)


class Refusal(NamedTuple):
    """A failure in our terms, with the status that the clients of others know."""

    code: str
    message: str
    status: int
    field: str | None
    worth_repeating: bool
    retry_after: float | None

    @classmethod
    def of(cls, failure: ServiceError | Failed) -> "Refusal":
        """Read an exception, or a stream's last event."""
        code = failure.code if isinstance(failure, Failed) else failure.code.name
        fields = failure.fields if isinstance(failure, InvalidRequest) else ()
        return cls(
            code,
            failure.message,
            _status(failure, fields),
            fields[0].field or None if fields else None,
            failure.retryable and not failure.retried if isinstance(failure, Failed) else failure.x_should_retry,
            failure.retry_after,
        )

    @property
    def headers(self) -> dict[str, str]:
        """The headers by which the SDKs decide whether and when to try again; they would do so twice of themselves."""
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(math.ceil(self.retry_after))
        if not self.worth_repeating:
            headers["x-should-retry"] = "false"
        return headers


TAKEN_BACK = Failed(
    code="upstream_truncated",
    message="The model's answer broke off and began anew, and this format cannot take back what it has already sent.",
    status=502,
    retryable=True,
    partial=True,
)
"""What stands in place of a `restarted` status after text, in a format without a word for it."""


def cut_off(stream_id: str) -> Failed:
    """Build what stands at the end of a connection that closes while its generation goes on."""
    return Failed(
        code="draining",
        message=f"The server is restarting; the answer goes on, and can be read at /api/streams/{stream_id}.",
        status=503,
        retryable=True,
        partial=True,
    )


class KnownRefusal(InvalidRequest):
    """A refusal that the clients know by a code of their own, and act upon."""

    def __init__(self, theirs: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}", [FieldError(field, message)], status=400)
        self.theirs = theirs


def wrong(field: str, message: str) -> InvalidRequest:
    """Build the refusal of one field of a request."""
    return InvalidRequest(f"{field}: {message}" if field else message, [FieldError(field, message)], status=400)
