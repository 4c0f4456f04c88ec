"""How to read JSON that others wrote: numbers, texts, objects, error objects, and what Bedrock adds to a chunk."""

from collections.abc import Mapping
from typing import Any, NoReturn

from service.bedrock.aws_errors import anthropic_error, is_failure, said_error
from service.deltas import Delta, Timing, Usage
from service.errors import UpstreamError

Json = dict[str, Any]

METRICS = "amazon-bedrock-invocationMetrics"
ACTION = "amazon-bedrock-guardrailAction"
TRACE = "amazon-bedrock-trace"
ADDED = frozenset({METRICS, ACTION, TRACE})
"""The keys that Bedrock adds to a family's own chunk."""

_HEADER = "x-amzn-bedrock-"


def corrupt(kind: str) -> UpstreamError:
    """A kind of chunk that we know, in a shape we cannot read. The log learns the kind, nobody the content."""
    return UpstreamError("upstream_corrupt", aws_message=f"unreadable {kind}")


def truncated() -> UpstreamError:
    """The body ended, and nothing in it had said that the answer was over."""
    return UpstreamError("upstream_truncated")


def count(value: Any) -> int | None:
    """Read a number of tokens or milliseconds; None where nobody said one.

    A Titan stream with a guardrail counts in floats (`3.0`, recorded); headers count in text.
    """
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != value // 1:
        return None
    return int(value)


def text_of(value: Any, kind: str) -> str:
    """Read a text that may be null or left out.

    Raises:
        UpstreamError: it is something else.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise corrupt(kind)
    return value


def object_of(value: Any, kind: str) -> Json:
    """Read an object that has to be there.

    Raises:
        UpstreamError: it is something else.
    """
    if not isinstance(value, dict):
        raise corrupt(kind)
    return value


def objects_of(value: Any, kind: str) -> list[Json]:
    """Read a list of objects that may be null or left out.

    Raises:
        UpstreamError: it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise corrupt(kind)
    return value


def raise_if_error(chunk: Json) -> None:
    """Raise the error object that stands in place of a chunk, which a 200 may carry (anthropic-sdk-python #1472)."""
    error = chunk.get("error")
    if chunk.get("type") == "error" or isinstance(error, dict) or (error and isinstance(error, str)):
        raise anthropic_error(error if isinstance(error, dict) else {"message": error})
    if len(chunk) == 1:  # a frame that is named after an exception
        kind = next(iter(chunk))
        if is_failure(kind):
            _raise_exception(kind, chunk[kind])


def _raise_exception(kind: str, said: Any) -> NoReturn:
    members = said if isinstance(said, dict) else {}
    raise said_error(kind, members.get("message"), original_status=members.get("originalStatusCode"))


def metrics_usage(metrics: Json) -> Usage:
    """Read the usage in Bedrock's own metrics: for what the family's body does not count."""
    return Usage(
        input_tokens=count(metrics.get("inputTokenCount")),
        output_tokens=count(metrics.get("outputTokenCount")),
        cache_read_tokens=count(metrics.get("cacheReadInputTokenCount")),
        cache_write_tokens=count(metrics.get("cacheWriteInputTokenCount")),
    )


def header_usage(headers: Mapping[str, str]) -> Usage:
    """Read the usage in the headers of a whole answer, where every family has it (recorded; AWS does not list it)."""
    return Usage(
        input_tokens=count(headers.get(_HEADER + "input-token-count")),
        output_tokens=count(headers.get(_HEADER + "output-token-count")),
        cache_read_tokens=count(headers.get(_HEADER + "cache-read-input-token-count")),
        cache_write_tokens=count(headers.get(_HEADER + "cache-write-input-token-count")),
    )


def header_timing(headers: Mapping[str, str]) -> list[Delta]:
    """Read Bedrock's clock in the headers of a whole answer."""
    latency = count(headers.get(_HEADER + "invocation-latency"))
    return [] if latency is None else [Timing(latency)]
