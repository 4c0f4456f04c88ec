"""AWS's words for what went wrong, and our codes for them: HTTP errors, exception frames and error objects alike.

An HTTP error says `ThrottlingException`, a frame `throttlingException`, some gateways `Throttling`: words are compared
in lower case and without their ending (botocore 1.40.61 and recordings of 2023 to 2026).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import msgspec

from service.bedrock.eventstream import Frame
from service.errors import UpstreamError

WORDS = {
    "validation": "validation",
    "conflict": "validation",
    "malformedinputrequest": "validation",
    "serialization": "validation",
    "requestentitytoolarge": "validation",
    "accessdenied": "access_denied",
    "authfailure": "access_denied",
    "expiredtoken": "access_denied",
    "incompletesignature": "access_denied",
    "invalidclienttokenid": "access_denied",
    "invalidsignature": "access_denied",
    "invalidtoken": "access_denied",
    "missingauthenticationtoken": "access_denied",
    "notauthorized": "access_denied",
    "optinrequired": "access_denied",
    "requestexpired": "access_denied",
    "requesttimetooskewed": "access_denied",
    "signaturedoesnotmatch": "access_denied",
    "unauthorized": "access_denied",
    "unrecognizedclient": "access_denied",
    "resourcenotfound": "model_not_found",
    "ftuformnotfilled": "model_not_found",
    "throttling": "throttled",
    "throttled": "throttled",
    "toomanyrequests": "throttled",
    "requestthrottled": "throttled",
    "slowdown": "throttled",
    "servicequotaexceeded": "quota_exceeded",
    "modelnotready": "model_not_ready",
    "modeltimeout": "model_timeout",
    "modelerror": "model_error",
    "modelstreamerror": "model_error",
    "internalserver": "upstream_unavailable",
    "internalservererror": "upstream_unavailable",
    "internalfailure": "upstream_unavailable",
    "internalerror": "upstream_unavailable",
    "serviceunavailable": "upstream_unavailable",
    "requesttimeout": "upstream_unavailable",
}
"""Every word we have met or the service model names, with our code."""

STALE_CREDENTIALS = frozenset({"expiredtoken", "invalidclienttokenid", "unrecognizedclient", "invalidtoken"})
"""What fresh credentials may cure."""

# An answer without a word of AWS's: from a proxy or a load balancer, mostly HTML.
_STATUSES = {
    401: "access_denied",
    403: "access_denied",
    404: "model_not_found",
    408: "model_timeout",
    424: "model_error",
    429: "throttled",
}

# Anthropic's own error object, seen as the first chunk of a 200 (anthropics/anthropic-sdk-python #1472).
_ANTHROPIC = {
    "invalid_request_error": "validation",
    "request_too_large": "validation",
    "authentication_error": "access_denied",
    "permission_error": "access_denied",
    "billing_error": "quota_exceeded",
    "not_found_error": "model_not_found",
    "rate_limit_error": "throttled",
    "timeout_error": "model_timeout",
    "overloaded_error": "upstream_unavailable",
    "api_error": "upstream_unavailable",
}

# Stable parts of Bedrock's sentences that mean another thing than their code does, with our sentence where it has none.
_UNKNOWN_MODEL = re.compile(
    r"model identifier is invalid|could not resolve the foundation model|end of its life|marked by provider as legacy",
    re.IGNORECASE,
)
_DAILY = re.compile(r"tokens per day|requests per day", re.IGNORECASE)
_USE_CASE_FORM = "The use-case form that Anthropic asks for has not been filled in for this AWS account."

_PASSED_ON = frozenset({"validation", "access_denied", "model_not_found"})
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")


def refused(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Read an HTTP error; `headers` are in lower case."""
    said = _object(body)
    word = headers.get("x-amzn-errortype") or said.get("code") or said.get("__type") or ""
    return said_error(
        str(word),
        said.get("message") or said.get("Message"),
        status=status,
        original_status=said.get("originalStatusCode"),
        retry_after=_retry_after(headers),
        request_id=headers.get("x-amzn-requestid"),
    )


def broken_off(frame: Frame, request_id: str | None = None) -> UpstreamError:
    """Read an exception's or an error's frame."""
    said = _object(frame.payload)
    return said_error(
        frame.name,
        said.get("message") or said.get("Message") or frame.headers.get(":error-message"),
        original_status=said.get("originalStatusCode"),
        request_id=request_id,
    )


def anthropic_error(error: Any) -> UpstreamError:
    """Read Anthropic's error object, the `error` of `{"type": "error", "error": {"type": …, "message": …}}`."""
    said = error if isinstance(error, dict) else {}
    word = str(said.get("type", ""))
    return _error(_ANTHROPIC.get(word, "model_error"), word, said.get("message"))


@lru_cache(maxsize=256)  # asked of each frame, and a stream has about six names
def is_failure(event_type: str) -> bool:
    """Whether an `:event-type` is an exception's name, as some gateways send it."""
    return event_type.lower().endswith("exception")


def said_error(
    word: str,
    message: Any,
    *,
    status: int | None = None,
    original_status: Any = None,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> UpstreamError:
    """Find our code for AWS's word and sentence; `status` decides where the word says nothing."""
    sentence = message if isinstance(message, str) else ""
    plain = bare(word)
    code = WORDS.get(plain) or _by_status(status)
    if code in {"validation", "access_denied", "model_not_found"} and _UNKNOWN_MODEL.search(sentence):
        code = "model_not_found"
    elif code == "throttled" and _DAILY.search(sentence):
        code = "quota_exceeded"
    elif plain == "ftuformnotfilled":
        sentence = sentence or _USE_CASE_FORM
    return _error(
        code,
        word,
        sentence,
        original_status=original_status if isinstance(original_status, int) else None,
        retry_after=retry_after,
        request_id=request_id,
    )


def bare(word: str) -> str:
    """Strip what surrounds AWS's word: `aws.protocol#ThrottlingException:http://internal…` is `throttling`."""
    return word.rpartition("#")[2].partition(":")[0].strip().lower().removesuffix("exception")


def without_accounts(sentence: str) -> str:
    """Cut AWS account numbers out of a sentence."""
    return _ACCOUNT.sub("*", sentence)


def _error(
    code: str,
    word: str,
    sentence: Any,
    *,
    original_status: int | None = None,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> UpstreamError:
    theirs = without_accounts(sentence.strip()) if isinstance(sentence, str) else ""
    # A model's server that refuses the request (4xx) would refuse it again.
    hopeless = code == "model_error" and original_status is not None and original_status < 500  # noqa: PLR2004
    return UpstreamError(
        code,
        theirs if code in _PASSED_ON else None,
        retry_after=retry_after,
        hopeless=hopeless,
        aws_code=word.partition(":")[0] or None,
        aws_message=theirs or None,
        original_status=original_status,
        request_id=request_id,
    )


def _by_status(status: int | None) -> str:
    if status is None:  # an exception's frame that nobody has met
        return "model_error"
    return _STATUSES.get(status) or ("validation" if 400 <= status < 500 else "upstream_unavailable")  # noqa: PLR2004


def _object(body: bytes) -> dict[str, Any]:
    """The body's JSON object; HTML and everything else has nothing to say."""
    try:
        said = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # msgspec's mistakes are ValueErrors
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds: `Retry-After` counts in them or names a date, `x-amz-retry-after` counts in milliseconds."""
    if wish := headers.get("retry-after"):
        return _number(wish) if _number(wish) is not None else _seconds_until(wish)
    milliseconds = _number(headers.get("x-amz-retry-after", ""))
    return None if milliseconds is None else milliseconds / 1000


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", text) else None


def _seconds_until(date: str) -> float | None:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (then.astimezone(UTC) - datetime.now(UTC)).total_seconds())
