"""Errors: one table of codes and one family of exceptions.

ServiceError                 any error that a client receives: code, message, status, retryable
+ InvalidRequest             the request is wrong; names the fields
+ RateLimited                a key is over one of its limits; names the limit
+ UpstreamError              Bedrock refused, failed or stalled; keeps AWS's code and message for the log

docs/reference.md, "Errors", lists codes, statuses and retries.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self


class Code(NamedTuple):
    """One row of the table: the HTTP status, and what follows the error.

    `retryable`: the client may repeat the request. `retried`: the engine repeats the call. `fallback`: another model is
    called before a retry. `breaker`: the error counts as a failure for the model's circuit breaker.
    """

    name: str
    status: int
    sentence: str
    retryable: bool = False
    retried: bool = False
    fallback: bool = False
    breaker: bool = False

    @property
    def x_should_retry(self) -> bool:
        """Whether an SDK should repeat the request: only where the engine has not done so."""
        return self.retryable and not self.retried


_ROWS = (
    Code("validation", 422, "The request is not valid."),
    Code("unauthenticated", 401, "An API key is needed."),
    Code("forbidden", 403, "This is not allowed."),
    Code("access_denied", 403, "AWS refused access.", fallback=True),
    Code("not_found", 404, "There is nothing here."),
    Code("model_not_found", 404, "Bedrock does not know this model.", fallback=True),
    Code("gone", 410, "This stream is no longer kept."),
    Code("method_not_allowed", 405, "This address does not take that method."),
    Code("conflict", 409, "Another request is in the way."),
    Code("too_large", 413, "The request is too large."),
    Code("unsupported_media_type", 415, "The body must be application/json."),
    Code("rate_limited", 429, "This key has reached its limit.", retryable=True),
    Code("overloaded", 503, "The service is full.", retryable=True),
    Code("draining", 503, "The service is shutting down.", retryable=True),
    Code("throttled", 429, "Bedrock is throttling this model.", retryable=True, retried=True, fallback=True),
    Code("model_not_ready", 429, "The model is not ready yet.", retryable=True, retried=True, fallback=True),
    Code("quota_exceeded", 429, "An AWS quota is used up.", fallback=True),
    Code("model_timeout", 504, "The model took too long.", retryable=True, retried=True, fallback=True, breaker=True),
    Code("model_error", 502, "The model failed.", retryable=True, retried=True, breaker=True),
    Code(
        "upstream_unavailable",
        503,
        "Bedrock cannot be reached.",
        retryable=True,
        retried=True,
        fallback=True,
        breaker=True,
    ),
    Code("upstream_truncated", 502, "The model's answer broke off.", retryable=True, retried=True, breaker=True),
    Code("upstream_corrupt", 502, "The model's answer could not be read.", retryable=True, retried=True, breaker=True),
    Code("upstream_stalled", 504, "The model fell silent.", retryable=True, retried=True, fallback=True, breaker=True),
    Code("interrupted", 502, "The process that ran this generation died.", retryable=True),
    Code("deadline_exceeded", 504, "The generation took longer than it may."),
    Code("internal", 500, "Something went wrong on our side."),
)

CODES = {row.name: row for row in _ROWS}


class FieldError(NamedTuple):
    """One mistake in a request: the field's path (`messages.0.content`) and what would be right."""

    field: str
    message: str


class ServiceError(Exception):
    """An error as clients receive it. The message never contains a prompt, an answer or a secret."""

    def __init__(
        self, code: str, message: str | None = None, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.code = CODES[code]
        self.message = message or self.code.sentence
        self.status = status or self.code.status
        self.retry_after = retry_after
        super().__init__(self.message)

    def __copy__(self) -> Self:
        """Copy the error without its traceback and causes."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        return other

    def forget_frames(self) -> Self:
        """Drop the traceback and causes of an error that is stored: their frames reference whole requests."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)

    @property
    def retryable(self) -> bool:
        """Whether the client may repeat the request."""
        return self.code.retryable

    @property
    def retried(self) -> bool:
        """Whether the engine repeats the call."""
        return self.code.retried

    @property
    def x_should_retry(self) -> bool:
        """Whether an SDK should repeat the request: only where the engine has not done so."""
        return self.retryable and not self.retried


class InvalidRequest(ServiceError):
    """The request is invalid: 422 by our schema, 400 by the model or the JSON parser."""

    def __init__(self, message: str, fields: Sequence[FieldError] = (), *, status: int = 422) -> None:
        super().__init__("validation", message, status=status)
        self.fields = tuple(fields)


class RateLimited(ServiceError):
    """A key is over one of its limits: `requests`, `tokens` or `streams`. Without `retry_after`, no retry succeeds."""

    def __init__(self, limit: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__("rate_limited", message, retry_after=retry_after)
        self.limit = limit

    @property
    def retryable(self) -> bool:
        """Whether the request can ever be within the limit."""
        return self.retry_after is not None


class UpstreamError(ServiceError):
    """Bedrock refused, failed or stalled.

    `aws_code`, `aws_message` and `original_status` are Bedrock's own, for the log only. `sent`: the request may have
    reached Bedrock.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        retried: bool | None = None,
        hopeless: bool = False,
        aws_code: str | None = None,
        aws_message: str | None = None,
        original_status: int | None = None,
        request_id: str | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(code, message, status=400 if code == "validation" else None, retry_after=retry_after)
        self._retried = False if hopeless else retried
        self._hopeless = hopeless
        self.aws_code = aws_code
        self.aws_message = aws_message
        self.original_status = original_status
        self.request_id = request_id
        self.sent = sent

    @property
    def retryable(self) -> bool:
        """Whether the client may repeat the request: not where Bedrock's status says that it would fail again."""
        return self.code.retryable and not self._hopeless

    @property
    def retried(self) -> bool:
        """Whether the engine repeats the call: the table's column, unless the error overrides it."""
        return self.code.retried if self._retried is None else self._retried

    @property
    def breaker(self) -> bool:
        """Whether the circuit breaker counts it: not a request that the model's server rejects with 4xx."""
        return self.code.breaker and not self._hopeless
