"""Folding a stream's events into its answer."""

from service.answer import Answer
from service.deltas import (
    CitationDelta,
    Done,
    Event,
    Metrics,
    ReasoningDelta,
    Status,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Usage,
)


def test_pieces_become_blocks_in_their_order() -> None:
    answer = Answer(
        [
            ReasoningDelta(0, text="Let me "),
            ReasoningDelta(0, text="think."),
            ReasoningDelta(0, signature="c2ln"),
            TextDelta(1, "Hel"),
            TextDelta(1, "lo"),
            ToolCallStart(2, "t1", "look"),
            ToolCallDelta(2, '{"city":'),
            ToolCallDelta(2, '"Oslo"}'),
            ToolCallStart(3, "t2", "wait"),
        ]
    )

    assert answer.text == "Hello"
    assert answer.content == [
        {"type": "reasoning", "signature": "c2ln", "text": "Let me think."},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"city": "Oslo"}},
        {"type": "tool_use", "id": "t2", "name": "wait", "input": {}},
    ]


def test_looking_in_between_changes_nothing() -> None:
    events: list[Event] = [
        ToolCallStart(0, "t1", "look"),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":1}"),
        TextDelta(1, "x"),
        TextDelta(1, "y"),
    ]
    answer = Answer()
    for event in events:
        answer.add([event])
        _ = answer.content, answer.text

    assert answer.content == Answer(events).content


def test_a_call_cut_short_stays_readable() -> None:
    (call,) = Answer([ToolCallStart(0, "t1", "look"), ToolCallDelta(0, '{"city": "Os')]).content

    assert (call["input"], call["input_text"]) == ({}, '{"city": "Os')


def test_each_piece_of_redacted_reasoning_is_a_block() -> None:
    answer = Answer([ReasoningDelta(0, redacted="YQ=="), ReasoningDelta(1, redacted="Yg=="), TextDelta(2, "Hi")])

    assert [block.get("redacted") for block in answer.content] == ["YQ==", "Yg==", None]


def test_a_citation_belongs_to_its_text() -> None:
    answer = Answer([CitationDelta(0, {"title": "A"}), TextDelta(0, "So it is."), TextDelta(1, " Or not.")])

    assert answer.content == [
        {"type": "text", "citations": [{"title": "A"}], "text": "So it is."},
        {"type": "text", "text": " Or not."},
    ]


def test_what_a_server_tool_said_is_kept_apart() -> None:
    answer = Answer([ToolCallStart(0, "s1", "run", server=True), ToolResultDelta(1, "s1", [{"text": "42"}])])

    assert [(block["type"], block["server"]) for block in answer.content] == [("tool_use", True), ("tool_result", True)]


def test_a_restart_clears_what_was_said() -> None:
    assert Answer([TextDelta(0, "Wrong"), Status("restarted"), TextDelta(0, "Right")]).text == "Right"


def test_the_end_is_kept() -> None:
    end = Done(StopReason.END_TURN, "end_turn", Usage(), Metrics())

    assert Answer([TextDelta(0, "Hi"), end]).end is end
