"""Every sequence in `tests/wire` is read to its end, and says exactly this."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bedrock.catalog.resolution import MODELS, resolve
from service.bedrock.wires.families import FAMILIES, wire_of
from service.deltas import (
    Delta,
    Opened,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    Timing,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Usage,
)
from service.errors import UpstreamError
from tests.families.wire import EXAMPLES, Recording, asked, decoded, recordings

OSLO, BERGEN = "3cd5c4df-1540-4fed-933f-707f9ca8286c", "2e97e0b0-bef4-4d65-9774-e61de7bc454c"
CODE = "tooluse_VQNZJRUFMoqZzszVsRd4og"

SAYS: dict[str, list[Delta]] = {
    "jamba_text": [
        Opened(),
        TextDelta(0, " Hello"),
        TextDelta(0, "?"),
        Usage(144, 14, total_tokens=158),
        Timing(530, 122),
        Stop(StopReason.END_TURN, "stop"),
    ],
    "nova_2_runs_its_own_tool": [
        Opened(),
        ToolCallStart(0, CODE, "nova_code_interpreter", server=True),
        ToolCallDelta(0, '{"snippet":"6*7"}'),
        ToolResultDelta(1, CODE, [{"json": {"stdOut": "42", "stdErr": "", "exitCode": 0, "isError": False}}]),
        TextDelta(2, "It is 42."),
        Stop(StopReason.END_TURN, "end_turn"),
        Usage(1002, 59, total_tokens=1061),
        Timing(1600),
    ],
    "nova_calls_two_tools": [
        Opened(),
        TextDelta(0, "<thinking"),
        TextDelta(0, "> I will call the tool.</thinking>\n"),
        ToolCallStart(1, OSLO, "get_weather"),
        ToolCallDelta(1, '{"city":"Oslo"}'),
        ToolCallStart(2, BERGEN, "get_weather"),
        ToolCallDelta(2, '{"city":"Bergen"}'),
        Usage(427, 156, 0, 0),
        Timing(433, 61),
        Stop(StopReason.TOOL_USE, "tool_use"),
    ],
    "titan_in_two_chunks": [
        TextDelta(0, "\nOnce upon a time, a robot"),
        Usage(13),
        TextDelta(0, " learned to paint."),
        Usage(13, 100),
        Timing(4075, 3074),
        Stop(StopReason.MAX_TOKENS, "LENGTH"),
    ],
    "claude_text_completion": [
        TextDelta(0, " Hello"),
        TextDelta(0, " there."),
        Usage(25, 4),
        Timing(266, 190),
        Stop(StopReason.END_TURN, "stop_sequence"),
    ],
    "converse_think_speak_and_call": [
        Opened(),
        ReasoningDelta(0, "The user wants the weather."),
        ReasoningDelta(0, " I should call the tool."),
        ReasoningDelta(0, signature="EqoBCkgIARABGAIiQL8="),
        TextDelta(1, "Let me look"),
        TextDelta(1, " that up."),
        ToolCallStart(2, "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q", "get_weather"),
        ToolCallDelta(2, '{"city": "Os'),
        ToolCallDelta(2, 'lo"}'),
        Stop(StopReason.TOOL_USE, "tool_use"),
        Usage(412, 96, 0, 0, 508),
        Timing(1893),
    ],
    "messages_think_and_call": [
        Opened(),
        Usage(392, None, 0, 0),
        ReasoningDelta(0, "The user wants the weather."),
        ReasoningDelta(0, signature="EqoBCkgIARABGAIiQL8="),
        TextDelta(1, "Let me look that up."),
        ToolCallStart(2, "toolu_bdrk_01KatiGijVFb9yuMPcnVk38e", "get_weather"),
        ToolCallDelta(2, '{"city": "Os'),
        ToolCallDelta(2, 'lo"}'),
        Usage(392, 134, 0, 0),  # the model's own count, not the metrics' 90
        Timing(3722, 779),
        Stop(StopReason.TOOL_USE, "tool_use"),
    ],
    "command_r_text": [
        Opened(),
        TextDelta(0, "Machine"),
        TextDelta(0, " learning"),
        Usage(6, 98),
        Timing(1168, 120),
        Stop(StopReason.END_TURN, "COMPLETE"),
    ],
    "command_text": [
        TextDelta(0, " A Large"),
        TextDelta(0, " Language Model"),
        Usage(20, 10),
        Timing(347, 194),
        Stop(StopReason.MAX_TOKENS, "MAX_TOKENS"),
    ],
    "r1_reasons_then_speaks": [
        ReasoningDelta(0, "We need to greet."),
        ReasoningDelta(0, "\n"),
        TextDelta(1, "\n\nHello!"),
        Usage(12, 20),
        Timing(900, 200),
        Stop(StopReason.END_TURN, "stop"),
    ],
    "llama_generation": [
        TextDelta(0, "Here"),
        Usage(23, 1),
        TextDelta(0, " is"),
        Usage(23, 2),
        Usage(23, 3),
        Timing(1354, 139),
        Stop(StopReason.END_TURN, "stop"),
    ],
    "chat_text": [
        TextDelta(0, "Hel"),
        TextDelta(0, "lo"),
        Usage(9, 3),
        Timing(300, 80),
        Stop(StopReason.END_TURN, "stop"),
    ],
    "prompt_text": [
        TextDelta(0, " 100"),
        TextDelta(0, " degrees."),
        Usage(32, 15),
        Timing(411, 96),
        Stop(StopReason.END_TURN, "stop"),
    ],
    "gpt_oss_on_converse": [
        Opened(),
        ReasoningDelta(0, "A greeting. Answer shortly."),
        TextDelta(1, "Hello!"),
        Stop(StopReason.END_TURN, "end_turn"),
        Usage(70, 43, total_tokens=113),
        Timing(753),
    ],
    "gpt_oss_reasons_in_tags": [
        Opened(),
        ReasoningDelta(0, "Just count."),
        TextDelta(1, "1, 2, 3"),
        Usage(75, 37),
        Timing(465, 462),
        Stop(StopReason.END_TURN, "stop"),
    ],
    "gpt_with_usage": [
        Opened(),
        TextDelta(0, "1"),
        Usage(14, 18, 0, 0, 32, 0),
        Timing(560, 541),
        Stop(StopReason.END_TURN, "stop"),
    ],
}

RECORDINGS = recordings()
INVOKED = [recording for recording in RECORDINGS if recording.api == "invoke"]
UNTAGGED = [one for one in INVOKED if one.name not in {"gpt_oss_reasons_in_tags", "r1_reasons_then_speaks"}]
"""Those whose reasoning, if any, is not in tags that only the model's own family expects."""

each = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)


@each
def test_a_recorded_stream_says_exactly_what_the_wire_said(recording: Recording) -> None:
    assert decoded(asked(recording.model, recording.api), recording.chunks) == SAYS[recording.name]


@each
def test_usage_never_falls(recording: Recording) -> None:
    said = [delta for delta in decoded(asked(recording.model, recording.api), recording.chunks) if type(delta) is Usage]
    for earlier, later in pairwise(said):
        for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "total_tokens"):
            before, after = getattr(earlier, name), getattr(later, name)
            assert before is None or after >= before


@each
def test_indexes_count_from_zero_without_gaps(recording: Recording) -> None:
    seen: list[int] = []
    for delta in decoded(asked(recording.model, recording.api), recording.chunks):
        index = getattr(delta, "index", None)
        if index is not None and index not in seen:
            seen.append(index)
    assert seen == list(range(len(seen)))


@each
def test_a_stream_cut_before_its_end_is_truncated(recording: Recording) -> None:
    """The last chunk that says "over" is the message's stop or the family's last; before it nothing is over."""
    request = asked(recording.model, recording.api)
    target = resolve(request)
    decoder = wire_of(target).decoder(request, target.model)
    over = _first_ending(recording)
    for chunk in recording.chunks[:over]:
        decoder.decode(chunk)
    with pytest.raises(UpstreamError) as caught:
        decoder.finish()
    assert caught.value.code.name == "upstream_truncated"


def _first_ending(recording: Recording) -> int:
    def ends(chunk: Any) -> bool:
        text = str(chunk)
        reasons = ("messageStop", "message_delta", "stop_reason': 's", "completionReason': 'L", "finish_reason': 's")
        return "invocationMetrics" in text or any(reason in text for reason in reasons)

    return next(place for place, chunk in enumerate(recording.chunks) if ends(chunk))


@pytest.mark.parametrize("recording", UNTAGGED, ids=lambda recording: recording.name)
def test_the_tolerant_reader_reads_every_family(recording: Recording) -> None:
    assert decoded(asked(EXAMPLES["tolerant"]), recording.chunks) == SAYS[recording.name]


def test_every_sequence_has_its_expectation_and_every_expectation_its_sequence() -> None:
    assert {recording.name for recording in RECORDINGS} == SAYS.keys()


def test_every_family_that_streams_has_a_sequence() -> None:
    families = {resolve(asked(recording.model)).family for recording in INVOKED}
    streaming = {model.family for model in MODELS if model.invoke.streams}
    assert streaming <= families


def test_every_family_of_the_catalogue_is_there() -> None:
    assert {model.family for model in MODELS} | {"tolerant"} == set(FAMILIES)
    assert EXAMPLES.keys() == FAMILIES.keys()
    for family, model_id in EXAMPLES.items():
        assert resolve(asked(model_id)).family == family


@given(st.data())
def test_decoding_does_not_depend_on_how_chunks_are_batched(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(RECORDINGS))
    request = asked(recording.model, recording.api)
    target = resolve(request)
    decoder = wire_of(target).decoder(request, target.model)
    batches: list[list[Delta]] = []
    remaining = list(recording.chunks)
    while remaining:
        size = data.draw(st.integers(1, len(remaining)))
        batches.append([delta for chunk in remaining[:size] for delta in decoder.decode(chunk)])
        remaining = remaining[size:]
    batches.append(decoder.finish())
    assert [delta for batch in batches for delta in batch] == SAYS[recording.name]
