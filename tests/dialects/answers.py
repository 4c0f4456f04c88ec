"""Streams as the log holds them, for every dialect to tell: by hand, and at random."""

import json
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st

from service.deltas import (
    CitationDelta,
    Done,
    Event,
    GuardrailTrace,
    Metrics,
    Progress,
    ReasoningDelta,
    Start,
    Status,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Usage,
)
from service.dialects.dialect import Heading

HEADING = Heading("0a1b2c3d", "global.anthropic.claude-haiku-4-5-20251001-v1:0", 1790000000.25)
START = Start(HEADING.stream_id, HEADING.model_id, "converse", "local")
USAGE = Usage(input_tokens=12, output_tokens=7, cache_read_tokens=100, cache_write_tokens=30, reasoning_tokens=3)
SPENT = Metrics(time_to_first_token=0.2, latency=1.5)
TALK: tuple[Event, ...] = (
    Status("queued", place=3),
    Progress(0.1, 20, 41.2, 39.8, is_slow=False, message="", estimated=False),
    GuardrailTrace({"action": "NONE"}),
    Status("continued", attempt=2),
)
"""What only the native format has words for."""


def done(reason: StopReason = StopReason.END_TURN, usage: Usage = USAGE, sequence: str | None = None) -> Done:
    return Done(reason, str(reason), usage, SPENT, sequence)


def answer(*events: Event, stop: StopReason = StopReason.END_TURN) -> list[Event]:
    return [START, *events, done(stop)]


WEB = {"title": "Oslo", "sourceContent": [{"text": "It rains."}], "location": {"web": {"url": "https://oslo.example"}}}
PAGE = {
    "title": "Guide",
    "sourceContent": [{"text": "It "}, {"text": "rains."}],
    "location": {"documentPage": {"documentIndex": 1, "start": 2, "end": 4}},
}
SEARCHED = {
    "source": "https://search.example/1",
    "location": {"searchResultLocation": {"searchResultIndex": 1, "start": 0, "end": 2}},
}

ANSWERS: dict[str, list[Event]] = {
    "a text in pieces": answer(TextDelta(0, "Hel"), TextDelta(0, "lo, "), TextDelta(0, "world.")),
    "a text with what some readers take for line ends": answer(TextDelta(0, "a\u2028b\u2029c\u0085d\x0b\x0ce\r\n\n")),
    "texts in two blocks": answer(TextDelta(0, "One. "), TextDelta(2, "Two.")),
    "a text and two calls at once": answer(
        TextDelta(0, "Let me look."),
        ToolCallStart(1, "call_1", "get_weather"),
        ToolCallDelta(1, '{"city":'),
        ToolCallDelta(1, ' "Oslo"}'),
        ToolCallStart(2, "call_2", "get_time"),
        ToolCallDelta(2, '{"zone":"CET","exact":1.50}'),
        stop=StopReason.TOOL_USE,
    ),
    "a call without a text, of a tool that takes nothing": answer(
        ToolCallStart(0, "call_1", "now"), stop=StopReason.TOOL_USE
    ),
    "a call cut short": answer(
        ToolCallStart(0, "call_1", "get_weather"),
        ToolCallDelta(0, '{"city":"Oslo","days":[1,2'),
        stop=StopReason.MAX_TOKENS,
    ),
    "reasoning with its signature, a text and a call": answer(
        ReasoningDelta(0, text="I should "),
        ReasoningDelta(0, text="call the tool."),
        ReasoningDelta(0, signature="EqoB"),
        ReasoningDelta(0, signature="CkgI"),
        TextDelta(1, "Let me look."),
        ToolCallStart(2, "call_1", "get_weather"),
        ToolCallDelta(2, '{"city":"Oslo"}'),
        stop=StopReason.TOOL_USE,
    ),
    "reasoning that was redacted, and some that was not": answer(
        ReasoningDelta(0, redacted="b25l"),
        ReasoningDelta(0, redacted="dHdv"),
        ReasoningDelta(1, text="Now I see."),
        TextDelta(2, "Done."),
    ),
    "reasoning of which only the signature is shown": answer(ReasoningDelta(0, signature="EqoB"), TextDelta(1, "Yes.")),
    "reasoning alone": answer(ReasoningDelta(0, text="Hm.")),
    "citations": answer(
        TextDelta(0, "Look: "),
        CitationDelta(1, WEB),
        CitationDelta(1, PAGE),
        TextDelta(1, "it "),
        TextDelta(1, "rains"),
        TextDelta(2, " today"),
        CitationDelta(3, SEARCHED),
        CitationDelta(3, {"title": "No place"}),
        CitationDelta(3, {"location": {"moon": {}}}),
        TextDelta(3, "."),
    ),
    "a tool that Bedrock ran itself": answer(
        TextDelta(0, "Counting."),
        ToolCallStart(1, "srv_1", "nova_code_interpreter", server=True),
        ToolCallDelta(1, '{"code":"1+1"}'),
        ToolResultDelta(2, "srv_1", [{"json": {"stdOut": "2"}}]),
        TextDelta(3, "Two."),
        ToolCallStart(4, "call_1", "tell"),
        ToolCallDelta(4, "{}"),
    ),
    "what only the native format has words for, between the pieces": answer(
        *TALK, TextDelta(0, "One "), *TALK, TextDelta(0, "text."), *TALK
    ),
    "an answer that begins anew before anything was shown": answer(
        Status("restarted", attempt=2), TextDelta(0, "Now.")
    ),
    "nothing at all": answer(),
    "an answer whose usage nobody reported": [START, TextDelta(0, "Hi."), done(usage=Usage())],
}

EVERY_STOP: dict[StopReason, list[Event]] = {
    reason: [START, TextDelta(0, "So far"), done(reason, sequence="END" if reason == "stop_sequence" else None)]
    for reason in StopReason
}

_TEXT = st.text(min_size=1, max_size=12)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=3)))
    edges = [0, *(cut for cut in cuts if cut < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(edges) if start < end]


@st.composite
def _block(draw: st.DrawFn, index: int) -> list[Event]:
    match draw(st.sampled_from(["text", "text", "reasoning", "signed", "redacted", "call", "call", "server", "cited"])):
        case "text":
            return [TextDelta(index, piece) for piece in draw(st.lists(_TEXT, min_size=1, max_size=4))]
        case "reasoning":
            return [ReasoningDelta(index, text=piece) for piece in draw(st.lists(_TEXT, min_size=1, max_size=3))]
        case "signed":
            thought: list[Event] = [ReasoningDelta(index, text=piece) for piece in draw(st.lists(_TEXT, max_size=2))]
            signed = draw(st.lists(st.text("AbC/+=", min_size=1, max_size=4), min_size=1, max_size=2))
            return thought + [ReasoningDelta(index, signature=piece) for piece in signed]
        case "redacted":
            return [ReasoningDelta(index, redacted=piece) for piece in draw(st.lists(_TEXT, min_size=1, max_size=2))]
        case "call":
            arguments = json.dumps(draw(st.dictionaries(_TEXT, _JSON, max_size=3)), ensure_ascii=draw(st.booleans()))
            pieces = draw(_pieces(arguments)) if draw(st.booleans()) or arguments != "{}" else []
            return [ToolCallStart(index, f"call_{index}", "act"), *(ToolCallDelta(index, piece) for piece in pieces)]
        case "server":
            called: list[Event] = [ToolCallStart(index, f"srv_{index}", "look", server=True)]
            return [*called, ToolCallDelta(index, "{}"), ToolResultDelta(index + 1, f"srv_{index}", [{"text": "ok"}])]
    cited: list[Event] = [CitationDelta(index, draw(st.sampled_from([WEB, PAGE, {"location": {"moon": {}}}])))]
    return cited + [TextDelta(index, piece) for piece in draw(st.lists(_TEXT, max_size=2))]


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Any stream that ended: blocks of every kind, their numbers with gaps, with the native format's talk between."""
    events: list[Event] = [START]
    index = 0
    for _ in range(draw(st.integers(0, 5))):
        for event in draw(_block(index)):
            events.append(event)
            if draw(st.integers(0, 6)) == 0:
                events.append(draw(st.sampled_from(TALK)))
        index += draw(st.integers(2, 3))
    counts = st.none() | st.integers(0, 10**6)
    usage = draw(st.builds(Usage, counts, counts, counts, counts, reasoning_tokens=counts))
    reason = draw(st.sampled_from(StopReason))
    sequence = draw(_TEXT) if reason is StopReason.STOP_SEQUENCE else None
    return [*events, done(reason, usage, sequence)]


@st.composite
def batches(draw: st.DrawFn, events: Sequence[Event]) -> list[list[Event]]:
    """The same events, cut into batches in any way."""
    cuts = sorted(draw(st.sets(st.integers(1, len(events)), max_size=4)))
    edges = [0, *cuts, len(events)]
    return [list(events[start:end]) for start, end in pairwise(edges) if start < end]
