"""What is said beside an answer."""

import pytest

from artesian import Connection, Done, Event, Metrics, Start, Status, ToolCall, Usage
from service.cli.screen import line_of, summary

LINES: dict[str, tuple[Event, str | None]] = {
    "a lost connection": (
        Connection("lost", 2, 4, 2.0, "it broke"),
        "Connection lost. Trying again in 2 s (2 of 4)",
    ),
    "a restored one": (Connection("restored", 2, 4), "Connection restored"),
    "a place in the queue": (Status("queued", place=3), "Waiting for a place: number 3"),
    "a queue that tells no place": (Status("queued"), "Waiting for a place"),
    "another try": (Status("retrying", attempt=2, delay=0.51), "The model did not answer; trying again in 0.51 s"),
    "another model": (Status("fallback", model_id="b"), "Trying b instead"),
    "a seam": (Status("continued"), "The model goes on where it broke off"),
    "the service's own words": (Status("slow", message="This might take a moment."), "This might take a moment."),
    "a state we do not know": (Status("dancing"), None),
    "a tool": (ToolCall(0, "c1", "weather"), "The model calls weather"),
    "the rest of a tool's call": (ToolCall(0, arguments="{"), None),
    "what needs no word": (Start("s", "m"), None),
}


@pytest.mark.parametrize(("event", "line"), LINES.values(), ids=LINES)
def test_an_event_is_told_in_a_line(event: Event, line: str | None) -> None:
    assert line_of(event) == line


def done(usage: Usage, metrics: Metrics, stop_reason: str = "end_turn") -> Done:
    """An end."""
    return Done(stop_reason, None, usage, metrics, {})


TIMES = Metrics(time_to_first_token=0.5, latency=2.5)
SUMMARIES = {
    "all that is known": (
        done(Usage(output_tokens=80), TIMES, "max_tokens"),
        "80 tokens · 40 tokens/s · first after 0.50 s · cut at --max-tokens",
    ),
    "counted by the service": (
        done(Usage(output_tokens=80, estimated=True), TIMES),
        "about 80 tokens · 40 tokens/s · first after 0.50 s",
    ),
    "nobody counted": (done(Usage(), TIMES, "cancelled"), "first after 0.50 s · cancelled"),
    "it came all at once": (
        done(Usage(output_tokens=3), Metrics(time_to_first_token=0.5, latency=0.5)),
        "3 tokens · first after 0.50 s",
    ),
    "nothing is known": (done(Usage(), Metrics()), ""),
}


@pytest.mark.parametrize(("end", "line"), SUMMARIES.values(), ids=SUMMARIES)
def test_an_end_is_told_in_a_line(end: Done, line: str) -> None:
    assert summary(end) == line
