"""The client builds the same answer from events as the service (service/answer.py), without a socket."""

import json
from typing import Any

import pytest

from artesian.answer import AnswerBuilder
from artesian.events import Done, Event, read_event
from artesian.sse import Reader
from service import deltas
from service.answer import Answer as Folded
from service.dialects.dialect import Heading
from service.dialects.native.events import NativeEvents, whole

HEADING = Heading("ab" * 16, "a-model", 0.0)
START = deltas.Start("ab" * 16, "a-model", "converse", "local")
END = deltas.Done(deltas.StopReason.END_TURN, "end_turn", deltas.Usage(output_tokens=3), deltas.Metrics(latency=1.0))

SAID: dict[str, list[deltas.Event]] = {
    "nothing": [],
    "text": [deltas.TextDelta(0, "one "), deltas.TextDelta(0, "two\u2028")],
    "a tool call": [
        deltas.TextDelta(0, "Let me see."),
        deltas.ToolCallStart(1, "c1", "weather"),
        deltas.ToolCallDelta(1, '{"city":'),
        deltas.ToolCallDelta(1, '"Oslo"}'),
        deltas.ToolCallStart(2, "c2", "time"),
    ],
    "a truncated tool call": [deltas.ToolCallStart(0, "c1", "weather"), deltas.ToolCallDelta(0, '{"ci')],
    "arguments that are not an object": [deltas.ToolCallStart(0, "c1", "weather"), deltas.ToolCallDelta(0, "[1]")],
    "a tool that Bedrock runs": [
        deltas.ToolCallStart(0, "c1", "search", server=True),
        deltas.ToolCallDelta(0, "{}"),
        deltas.ToolResultDelta(1, "c1", [{"text": "found"}]),
        deltas.TextDelta(2, "It is found."),
    ],
    "thoughts": [
        deltas.ReasoningDelta(0, text="Hm"),
        deltas.ReasoningDelta(0, text="m."),
        deltas.ReasoningDelta(0, signature="c2ln"),
        deltas.ReasoningDelta(1, redacted="cmVk"),
        deltas.ReasoningDelta(2, text="Again."),
        deltas.ReasoningDelta(2, signature="bmVk"),
        deltas.ReasoningDelta(3, text="And again."),
        deltas.TextDelta(4, "So."),
    ],
    "citations": [
        deltas.TextDelta(0, "It rains."),
        deltas.CitationDelta(0, {"title": "The weather"}),
        deltas.TextDelta(0, " Often."),
    ],
    "a restarted answer": [
        deltas.TextDelta(0, "One"),
        deltas.Status("restarted"),
        deltas.TextDelta(0, "Two"),
        deltas.GuardrailTrace({"modelOutput": []}),
        deltas.Progress(0.5, 1, 1.0, 1.0, is_slow=False, message="", estimated=True),
    ],
}


def events_of(said: list[deltas.Event]) -> list[Event]:
    """Encode events as the service does, and parse them as the client does."""
    wire = NativeEvents(HEADING).encode(1, said)
    return [read_event(sent.name, json.loads(sent.data)) for sent in Reader().feed(wire)]


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_the_answer_is_the_services_whole_answer(said: list[deltas.Event]) -> None:
    stream = [START, *said, END]
    fold = AnswerBuilder()
    for event in events_of(stream):
        fold.add(event)
    answer = fold.answer(HEADING.stream_id)

    assert answer
    assert answer.raw == whole(HEADING, stream, END)
    assert answer.text == answer.raw["text"]


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_the_answer_so_far_is_the_services_after_every_event(said: list[deltas.Event]) -> None:
    fold = AnswerBuilder()
    for number, event in enumerate(events_of(said), 1):
        fold.add(event)
        so_far = Folded(said[:number])
        assert (fold.text, fold.content) == (so_far.text, so_far.content)
    assert fold.answer(HEADING.stream_id) is None


def test_unknown_members_and_events_are_ignored() -> None:
    told: dict[str, Any] = {
        "done": True,
        "stop_reason": "end_turn",
        "usage": {"photons": 3},
        "metrics": {"mood": "good"},
    }
    done = read_event("message", told)

    assert isinstance(done, Done)
    assert done.usage.output_tokens is None
    assert done.raw == told
