"""The notes beside an answer."""

import pytest

from artesian import Connection, Done, Event, Metrics, Start, Status, ToolCall, Usage
from service.cli.screen import line_of, summary

LINES: dict[str, tuple[Event, str | None]] = {
    "a lost connection": (
        Connection("lost", 2, 4, 2.0, "it broke"),
        "Connection lost. Reconnecting in 2 s (2 of 4)",
    ),
    "a restored one": (Connection("restored", 2, 4), "Connection restored"),
    "a queue position": (Status("queued", place=3), "Queued at position 3"),
    "a queue without a position": (Status("queued"), "Queued"),
    "a retry": (Status("retrying", attempt=2, delay=0.51), "The model did not answer; retrying in 0.51 s"),
    "another model": (Status("fallback", model_id="b"), "Trying b instead"),
    "a continuation": (Status("continued"), "The model continues the interrupted answer"),
    "the service's message": (Status("slow", message="This might take a moment."), "This might take a moment."),
    "an unknown state": (Status("dancing"), None),
    "a tool": (ToolCall(0, "c1", "weather"), "The model calls weather"),
    "a tool call's arguments": (ToolCall(0, arguments="{"), None),
    "an event without a note": (Start("s", "m"), None),
}


@pytest.mark.parametrize(("event", "line"), LINES.values(), ids=LINES)
def test_an_event_is_described_in_a_line(event: Event, line: str | None) -> None:
    assert line_of(event) == line


def done(usage: Usage, metrics: Metrics, stop_reason: str = "end_turn") -> Done:
    """Make a last event."""
    return Done(stop_reason, None, usage, metrics, {})


TIMES = Metrics(time_to_first_token=0.5, latency=2.5)
SUMMARIES = {
    "everything is known": (
        done(Usage(output_tokens=80), TIMES, "max_tokens"),
        "80 tokens · 40 tokens/s · first after 0.50 s · cut at --max-tokens",
    ),
    "counted by the service": (
        done(Usage(output_tokens=80, estimated=True), TIMES),
        "about 80 tokens · 40 tokens/s · first after 0.50 s",
    ),
    "no usage": (done(Usage(), TIMES, "cancelled"), "first after 0.50 s · cancelled"),
    "all tokens at once": (
        done(Usage(output_tokens=3), Metrics(time_to_first_token=0.5, latency=0.5)),
        "3 tokens · first after 0.50 s",
    ),
    "nothing is known": (done(Usage(), Metrics()), ""),
}


@pytest.mark.parametrize(("end", "line"), SUMMARIES.values(), ids=SUMMARIES)
def test_an_end_is_described_in_a_line(end: Done, line: str) -> None:
    assert summary(end) == line
