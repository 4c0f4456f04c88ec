"""What single chunks say, family by family: the cases that the recorded sequences do not hold."""

from typing import Any

import pytest

from service.bedrock.wires.families import wire_of
from service.deltas import (
    CitationDelta,
    Delta,
    GuardrailTrace,
    Opened,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    Timing,
    ToolCallDelta,
    ToolCallStart,
    ToolResultDelta,
    Unknown,
    Usage,
)
from service.errors import UpstreamError
from tests.families.wire import EXAMPLES, asked, decoded, target_of

METRICS = {"inputTokenCount": 9, "outputTokenCount": 3, "invocationLatency": 300, "firstByteLatency": 80}
LAST = {"amazon-bedrock-invocationMetrics": METRICS}
MEASURED: list[Delta] = [Usage(9, 3), Timing(300, 80)]


def choice(delta: dict[str, Any], finish: str | None = None, **members: Any) -> dict[str, Any]:
    """A chunk of OpenAI's chat."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **members}]}


def event(kind: str, **members: Any) -> dict[str, Any]:
    """An event of Anthropic's."""
    return {"type": kind, **members}


def opens(index: int, **block: Any) -> dict[str, Any]:
    """Anthropic's start of a block."""
    return event("content_block_start", index=index, content_block=block)


def piece(index: int, **delta: Any) -> dict[str, Any]:
    """Anthropic's piece of a block."""
    return event("content_block_delta", index=index, delta=delta)


CASES: dict[str, tuple[str, list[Any], list[Delta]]] = {
    "a Claude 2 that meets our stop sequence names it": (
        "claude_text",
        [{"completion": "a", "stop_reason": "stop_sequence", "stop": "END", **LAST}],
        [TextDelta(0, "a"), *MEASURED, Stop(StopReason.STOP_SEQUENCE, "stop_sequence", "END")],
    ),
    "old recordings of Claude 2 have a type in each chunk": (
        "claude_text",
        [{"type": "completion", "completion": " Hi", "stop_reason": "max_tokens", "stop": None, **LAST}],
        [TextDelta(0, " Hi"), *MEASURED, Stop(StopReason.MAX_TOKENS, "max_tokens")],
    ),
    "Claude's redacted thinking comes whole, in its block's start": (
        "claude_messages",
        [opens(0, type="redacted_thinking", data="RW4="), event("message_stop", **LAST)],
        [ReasoningDelta(0, redacted="RW4="), *MEASURED, Stop(StopReason.OTHER, None)],
    ),
    "Claude's citation stands before its text, in Converse's shape": (
        "claude_messages",
        [
            opens(0, type="text", text=""),
            piece(
                0,
                type="citations_delta",
                citation={
                    "type": "char_location",
                    "cited_text": "wet",
                    "document_index": 0,
                    "document_title": "Rain",
                    "start_char_index": 4,
                    "end_char_index": 7,
                },
            ),
            piece(0, type="text_delta", text="It is wet."),
            event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}),
            event("message_stop"),
        ],
        [
            CitationDelta(
                0,
                {
                    "title": "Rain",
                    "sourceContent": [{"text": "wet"}],
                    "location": {"documentChar": {"documentIndex": 0, "start": 4, "end": 7}},
                },
            ),
            TextDelta(0, "It is wet."),
            Usage(None, 5),
            Stop(StopReason.END_TURN, "end_turn"),
        ],
    ),
    "a tool that Claude's own server ran is marked, and its result told": (
        "claude_messages",
        [
            opens(0, type="server_tool_use", id="srv_1", name="web_search", input={}),
            piece(0, type="input_json_delta", partial_json='{"query":"rain"}'),
            opens(1, type="web_search_tool_result", tool_use_id="srv_1", content=[{"type": "web_search_result"}]),
            event("message_delta", delta={"stop_reason": "pause_turn"}),
        ],
        [
            ToolCallStart(0, "srv_1", "web_search", server=True),
            ToolCallDelta(0, '{"query":"rain"}'),
            ToolResultDelta(1, "srv_1", [{"json": {"type": "web_search_result"}}]),
            Stop(StopReason.OTHER, "pause_turn"),
        ],
    ),
    "what Claude refuses is filtered content": (
        "claude_messages",
        [event("message_delta", delta={"stop_reason": "refusal"}), event("message_stop", **LAST)],
        [*MEASURED, Stop(StopReason.CONTENT_FILTERED, "refusal")],
    ),
    "usage may come before Claude stops": (
        "claude_messages",
        [
            event("message_delta", delta={}, usage={"output_tokens": 5}),
            event("message_delta", delta={"stop_reason": "end_turn"}),
        ],
        [Usage(None, 5), Stop(StopReason.END_TURN, "end_turn")],
    ),
    "calls of a generation without an id": (
        "command_r",
        [
            {"event_type": "stream-start"},
            {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"tool_calls": [{"name": "f"}]}},
        ],
        [
            Opened(),
            ToolCallStart(0, "call_0", "f"),
            ToolCallDelta(0, "{}"),
            Stop(StopReason.TOOL_USE, "COMPLETE"),
        ],
    ),
    "a stop sequence of Claude's is named": (
        "claude_messages",
        [event("message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": "END"})],
        [Stop(StopReason.STOP_SEQUENCE, "stop_sequence", "END")],
    ),
    "kinds of Claude's that nobody has met are named and skipped": (
        "claude_messages",
        [
            event("hologram"),
            opens(0, type="hologram"),
            piece(0, type="hologram_delta"),
            piece(1, type="text_delta", text="Hi"),
            event("message_stop", **LAST),
        ],
        [
            Unknown("hologram"),
            Unknown("content_block_start.hologram"),
            Unknown("content_block_delta.hologram_delta"),
            TextDelta(0, "Hi"),
            *MEASURED,
            Stop(StopReason.OTHER, None),
        ],
    ),
    "a guardrail that masks on InvokeModel takes the model's word back": (
        "claude_messages",
        [
            piece(0, type="text_delta", text="{NAME}") | {"amazon-bedrock-guardrailAction": "INTERVENED"},
            event("message_delta", delta={"stop_reason": "end_turn"}),
            event("message_stop", **LAST)
            | {"amazon-bedrock-trace": {"guardrail": {"actionReason": "Guardrail masked."}}},
        ],
        [
            TextDelta(0, "{NAME}"),
            GuardrailTrace({"actionReason": "Guardrail masked."}),
            *MEASURED,
            Stop(StopReason.GUARDRAIL_INTERVENED, "end_turn"),
        ],
    ),
    "a guardrail that did nothing changes nothing": (
        "llama",
        [{"generation": "Hi", "stop_reason": "stop", "amazon-bedrock-guardrailAction": "NONE", **LAST}],
        [TextDelta(0, "Hi"), *MEASURED, Stop(StopReason.END_TURN, "stop")],
    ),
    "a blocked Titan answer is one chunk with floats and no end of its own": (
        "titan",
        [
            {
                "outputText": "Sorry, blocked.",
                "index": 0,
                "totalOutputTextTokenCount": 3.0,
                "completionReason": None,
                "inputTextTokenCount": 13.0,
                "amazon-bedrock-guardrailAction": "INTERVENED",
            }
        ],
        [TextDelta(0, "Sorry, blocked."), Usage(13, 3), Stop(StopReason.GUARDRAIL_INTERVENED, None)],
    ),
    "a short answer of Titan's is one chunk holding all": (
        "titan",
        [
            {
                "outputText": "Hi",
                "index": 0,
                "totalOutputTextTokenCount": 2,
                "completionReason": "FINISH",
                "inputTextTokenCount": 4,
                **LAST,
            }
        ],
        [TextDelta(0, "Hi"), Usage(4, 2), Timing(300, 80), Stop(StopReason.END_TURN, "FINISH")],
    ),
    "a Titan that met a stop sequence": (
        "titan",
        [{"outputText": "", "completionReason": "STOP_CRITERIA_MET", **LAST}],
        [*MEASURED, Stop(StopReason.STOP_SEQUENCE, "STOP_CRITERIA_MET")],
    ),
    "a Llama without a count of its own takes the metrics'": (
        "llama",
        [
            {"generation": "Hi", "prompt_token_count": None, "generation_token_count": None, "stop_reason": "length"},
            LAST,
        ],
        [TextDelta(0, "Hi"), *MEASURED, Stop(StopReason.MAX_TOKENS, "length")],
    ),
    "without `stream` in its body Command sends the whole answer as a chunk": (
        "command",
        [{"generations": [{"finish_reason": "COMPLETE", "id": "1", "text": " Hi"}], "prompt": "x", **LAST}],
        [TextDelta(0, " Hi"), *MEASURED, Stop(StopReason.END_TURN, "COMPLETE")],
    ),
    "two generations of Command's come one after the other": (
        "command",
        [
            {"is_finished": False, "text": " A", "index": 0},
            {"is_finished": True, "finish_reason": "COMPLETE", "index": 0},
            {"is_finished": False, "text": " B", "index": 1},
            {"is_finished": True, "finish_reason": "MAX_TOKENS", "index": 1, **LAST},
        ],
        [TextDelta(0, " A"), TextDelta(1, " B"), *MEASURED, Stop(StopReason.MAX_TOKENS, "MAX_TOKENS")],
    ),
    "toxic content stops Command": (
        "command",
        [{"is_finished": True, "finish_reason": "ERROR_TOXIC", **LAST}],
        [*MEASURED, Stop(StopReason.CONTENT_FILTERED, "ERROR_TOXIC")],
    ),
    "Command R's calls get ids, and its end is a call": (
        "command_r",
        [
            {"event_type": "stream-start", "generation_id": "g-1"},
            {"event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0}},
            {
                "event_type": "tool-calls-generation",
                "tool_calls": [{"name": "a", "parameters": {"x": 1}}, {"name": "b", "parameters": {}}],
            },
            {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"text": ""}, **LAST},
        ],
        [
            Opened(),
            ToolCallStart(0, "g-1_0", "a"),
            ToolCallDelta(0, '{"x":1}'),
            ToolCallStart(1, "g-1_1", "b"),
            ToolCallDelta(1, "{}"),
            *MEASURED,
            Stop(StopReason.TOOL_USE, "COMPLETE"),
        ],
    ),
    "Command R's citations are told, its searches not": (
        "command_r",
        [
            {"event_type": "search-results", "search_results": []},
            {"event_type": "text-generation", "text": "Rain."},
            {"event_type": "citation-generation", "citations": [{"text": "Rain", "document_ids": ["d1"]}]},
            {"event_type": "hologram"},
            {
                "event_type": "stream-end",
                "response": {"finish_reason": "MAX_TOKENS", "meta": {"billed_units": {"input_tokens": 6}}},
            },
        ],
        [
            TextDelta(0, "Rain."),
            CitationDelta(0, {"sourceContent": [{"text": "Rain"}], "title": "d1"}),
            Unknown("hologram"),
            Usage(6),
            Stop(StopReason.MAX_TOKENS, "MAX_TOKENS"),
        ],
    ),
    "a Mistral that ran out of tokens": (
        "mistral_prompt",
        [{"outputs": [{"text": "a", "stop_reason": "length"}], **LAST}],
        [TextDelta(0, "a"), *MEASURED, Stop(StopReason.MAX_TOKENS, "length")],
    ),
    "Mistral chat calls a tool in one message": (
        "mistral_chat",
        [
            {
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": "",
                            "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}}],
                        },
                        "stop_reason": "tool_calls",
                    }
                ],
                **LAST,
            }
        ],
        [ToolCallStart(0, "c1", "f"), ToolCallDelta(0, '{"a":1}'), *MEASURED, Stop(StopReason.TOOL_USE, "tool_calls")],
    ),
    "R1's closing tag may be cut anywhere": (
        "deepseek_r1",
        [
            {"choices": [{"index": 0, "text": "Hm", "stop_reason": None}]},
            {"choices": [{"index": 0, "text": "m</thi", "stop_reason": None}]},
            {"choices": [{"index": 0, "text": "nk>Hi", "stop_reason": "eos_token"}], **LAST},
        ],
        [
            ReasoningDelta(0, "Hm"),
            ReasoningDelta(0, "m"),
            TextDelta(1, "Hi"),
            *MEASURED,
            Stop(StopReason.END_TURN, "eos_token"),
        ],
    ),
    "a distill of R1's speaks in Llama's words": (
        "deepseek_r1",
        [{"generation": "Hm</think>Hi", "stop_reason": "stop", **LAST}],
        [ReasoningDelta(0, "Hm"), TextDelta(1, "Hi"), *MEASURED, Stop(StopReason.END_TURN, "stop")],
    ),
    "gpt-oss's reasoning is one block, though each piece has tags of its own": (
        "openai_chat",
        [
            choice({"content": "<reasoning>One.</reasoning>"}),
            choice({"content": "<reasoning> Two.</reas"}),
            choice({"content": "oning>Go <b>"}),
            choice({}, "stop") | LAST,
        ],
        [
            ReasoningDelta(0, "One."),
            ReasoningDelta(0, " Two."),
            TextDelta(1, "Go <b>"),
            *MEASURED,
            Stop(StopReason.END_TURN, "stop"),
        ],
    ),
    "what looked like a tag to the end is text": (
        "openai_chat",
        [choice({"content": "a <rea"}), choice({}, "stop") | LAST],
        [TextDelta(0, "a "), TextDelta(0, "<rea"), *MEASURED, Stop(StopReason.END_TURN, "stop")],
    ),
    "tool calls come in pieces, side by side": (
        "openai_chat",
        [
            choice({"role": "assistant", "content": None}),
            choice({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}]}),
            choice({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
            choice({"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "g", "arguments": "{}"}}]}),
            choice({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
            choice({}, "tool_calls") | LAST,
        ],
        [
            Opened(),
            ToolCallStart(0, "c1", "f"),
            ToolCallDelta(0, '{"a"'),
            ToolCallStart(1, "c2", "g"),
            ToolCallDelta(1, "{}"),
            ToolCallDelta(0, ":1}"),
            *MEASURED,
            Stop(StopReason.TOOL_USE, "tool_calls"),
        ],
    ),
    "calls that all say index 0 are told apart by their ids": (
        "openai_chat",
        [
            choice({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}]}),
            choice({"tool_calls": [{"index": 0, "id": "c2", "function": {"name": "f", "arguments": {"a": 1}}}]}),
            choice({}, "tool_calls"),
        ],
        [
            ToolCallStart(0, "c1", "f"),
            ToolCallDelta(0, "{}"),
            ToolCallStart(1, "c2", "f"),
            ToolCallDelta(1, '{"a":1}'),
            Stop(StopReason.TOOL_USE, "tool_calls"),
        ],
    ),
    "reasoning may have a member of its own, and a refusal is text": (
        "openai_chat",
        [
            choice({"reasoning_content": "Hm."}),
            choice({"reasoning": " So."}),
            choice({"refusal": "No."}, "content_filter"),
        ],
        [
            ReasoningDelta(0, "Hm."),
            ReasoningDelta(0, " So."),
            TextDelta(1, "No."),
            Stop(StopReason.CONTENT_FILTERED, "content_filter"),
        ],
    ),
    "Writer's last word is a string": (
        "openai_chat",
        [choice({"content": "Hi"}, "stop"), "[DONE]"],
        [TextDelta(0, "Hi"), Stop(StopReason.END_TURN, "stop")],
    ),
    "a chunk of nothing that we know is named": (
        "openai_chat",
        [{"hologram": 1}, choice({}, "length")],
        [Unknown("hologram"), Opened(), Stop(StopReason.MAX_TOKENS, "length")],
    ),
    "cached tokens are not counted twice": (
        "openai_chat",
        [
            choice({}, "stop"),
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 7,
                    "total_tokens": 107,
                    "prompt_tokens_details": {"cached_tokens": 60},
                    "completion_tokens_details": {"reasoning_tokens": 2},
                },
            },
        ],
        [Opened(), Usage(40, 7, 60, None, 107, 2), Stop(StopReason.END_TURN, "stop")],
    ),
    "a word of Claude 2's that nobody has met is kept": (
        "claude_text",
        [{"completion": "a", "stop_reason": "bored", "stop": None}],
        [TextDelta(0, "a"), Stop(StopReason.OTHER, "bored")],
    ),
    "a Command that is finished without a reason": (
        "command",
        [{"is_finished": True}],
        [Stop(StopReason.OTHER, None)],
    ),
    "metrics that come twice end the answer once": (
        "llama",
        [{"generation": "a", "stop_reason": "stop", **LAST}, LAST],
        [TextDelta(0, "a"), *MEASURED, Stop(StopReason.END_TURN, "stop"), Timing(300, 80)],
    ),
    "a string behind an ARN says nothing": (
        "tolerant",
        ["[DONE]", {"generation": "a", "stop_reason": "stop"}],
        [TextDelta(0, "a"), Stop(StopReason.END_TURN, "stop")],
    ),
    "an answer that ends in the metrics alone has no stop reason": (
        "mistral_prompt",
        [{"outputs": [{"text": "a", "stop_reason": None}], **LAST}],
        [TextDelta(0, "a"), *MEASURED, Stop(StopReason.OTHER, None)],
    ),
    "a word for the end that nobody has met is kept": (
        "mistral_prompt",
        [{"outputs": [{"text": "a", "stop_reason": "bored"}], **LAST}],
        [TextDelta(0, "a"), *MEASURED, Stop(StopReason.OTHER, "bored")],
    ),
}


@pytest.mark.parametrize(("family", "chunks", "deltas"), CASES.values(), ids=CASES)
def test_chunks_say(family: str, chunks: list[Any], deltas: list[Delta]) -> None:
    assert decoded(asked(EXAMPLES[family]), chunks) == deltas


def test_a_stop_sequence_that_a_chat_names_is_told() -> None:
    request = asked(EXAMPLES["openai_chat"], stop_sequences=("END",))
    assert decoded(request, [choice({}, "stop", stop_reason="END")])[-1] == Stop(
        StopReason.STOP_SEQUENCE, "stop", "END"
    )


QWEN = {
    "in one piece": ["<think>Hm.</think>Hi <think>x</think>"],
    "cut in both tags": ["\n<thi", "nk>H", "m.<", "/think", ">H", "i <think>x</think>"],
}


@pytest.mark.parametrize("pieces", QWEN.values(), ids=QWEN)
def test_qwen_thinks_in_tags_at_the_start_alone(pieces: list[str]) -> None:
    deltas = decoded(asked("qwen.qwen3-32b-v1:0"), [choice({"content": one}) for one in pieces] + [choice({}, "stop")])
    thought = "".join(delta.text or "" for delta in deltas if isinstance(delta, ReasoningDelta))
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert (thought, text) == ("Hm.", "Hi <think>x</think>")


def test_a_model_that_does_not_think_may_write_of_tags() -> None:
    chunks = [choice({"content": "<think>"}), choice({}, "stop")]
    assert decoded(asked("us.openai.gpt-6-sol"), chunks)[0] == TextDelta(0, "<think>")


def test_magistral_s_parts_are_reasoning_and_text() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Hi"},
        {"type": "hologram"},
    ]
    deltas = decoded(asked("mistral.magistral-small-2509"), [choice({"content": parts}, "stop")])
    assert deltas[:3] == [ReasoningDelta(0, "Hm."), TextDelta(1, "Hi"), Unknown("content.hologram")]


CITATIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "of a page": (
        {"type": "page_location", "document_index": 1, "start_page_number": 2, "end_page_number": 3},
        {"location": {"documentPage": {"documentIndex": 1, "start": 2, "end": 3}}},
    ),
    "of a search result": (
        {
            "type": "search_result_location",
            "title": "T",
            "source": "S",
            "search_result_index": 0,
            "start_block_index": 1,
        },
        {"title": "T", "source": "S", "location": {"searchResultLocation": {"searchResultIndex": 0, "start": 1}}},
    ),
    "of a page of the web": (
        {"type": "web_search_result_location", "url": "https://example.org", "cited_text": "x"},
        {"sourceContent": [{"text": "x"}], "location": {"web": {"url": "https://example.org"}}},
    ),
    "of a place that nobody has met": ({"type": "hologram", "cited_text": "x"}, {"sourceContent": [{"text": "x"}]}),
}


@pytest.mark.parametrize(("citation", "ours"), CITATIONS.values(), ids=CITATIONS)
def test_claude_s_citation_is_told_in_converse_s_shape(citation: dict[str, Any], ours: dict[str, Any]) -> None:
    chunks = [piece(0, type="citations_delta", citation=citation), LAST]
    assert decoded(asked(EXAMPLES["claude_messages"]), chunks)[0] == CitationDelta(0, ours)


def test_a_cohere_citation_may_have_no_document() -> None:
    chunks = [{"event_type": "citation-generation", "citations": [{"text": "Rain"}]}, LAST]
    cited = decoded(asked(EXAMPLES["command_r"]), chunks)[0]
    assert cited == CitationDelta(0, {"sourceContent": [{"text": "Rain"}]})


def test_r1_that_is_continued_has_done_its_reasoning() -> None:
    deltas = decoded(
        asked(EXAMPLES["deepseek_r1"]), [{"choices": [{"text": " world", "stop_reason": "stop"}]}], prefill="Hi"
    )
    assert deltas[0] == TextDelta(0, " world")


ERRORS: dict[str, tuple[Any, str]] = {
    "Anthropic's error object": ({"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}, "throttled"),
    "an overload": ({"type": "error", "error": {"type": "overloaded_error"}}, "upstream_unavailable"),
    "an error without a type": ({"error": {"message": "x"}}, "model_error"),
    "an error that is a sentence": ({"error": "x"}, "model_error"),
    "a chunk named after an exception": ({"throttlingException": {"message": "x"}}, "throttled"),
}


@pytest.mark.parametrize("family", [name for name in EXAMPLES if name != "jurassic"])
@pytest.mark.parametrize(("chunk", "code"), ERRORS.values(), ids=ERRORS)
def test_an_error_in_place_of_a_chunk_is_raised(family: str, chunk: Any, code: str) -> None:
    request = asked(EXAMPLES[family])
    target = target_of(request)
    with pytest.raises(UpstreamError) as caught:
        wire_of(target).decoder(request, target.model).decode(chunk)
    assert caught.value.code.name == code


UNREADABLE: dict[str, tuple[str, Any]] = {
    "a completion that is no text": ("claude_text", {"completion": 1}),
    "an event without a type": ("claude_messages", {"index": 0}),
    "a piece of no block": ("claude_messages", event("content_block_delta", delta={"type": "text_delta", "text": "a"})),
    "a piece without its text": ("claude_messages", piece(0, type="text_delta")),
    "a call without a name": ("claude_messages", opens(0, type="tool_use", id="c1")),
    "a message that is none": ("claude_messages", event("message_start", message=3)),
    "an event of Nova's that is no object": ("nova", {"contentBlockDelta": 3}),
    "text of Titan's that is none": ("titan", {"outputText": []}),
    "results that are no list": ("titan", {"results": {}}),
    "a generation that is no text": ("llama", {"generation": {}}),
    "outputs that are none": ("mistral_prompt", {"outputs": "x"}),
    "a text of Command's that is none": ("command", {"is_finished": False, "text": 1}),
    "a call of Command R's without a name": (
        "command_r",
        {"event_type": "tool-calls-generation", "tool_calls": [{"parameters": {}}]},
    ),
    "completions without their data": ("jurassic", {"completions": [{}]}),
    "choices that are none": ("openai_chat", {"choices": 3}),
    "a delta that is none": ("openai_chat", {"choices": [{"delta": 3}]}),
    "a call that begins without a name": ("openai_chat", choice({"tool_calls": [{"index": 0, "function": {}}]})),
}


@pytest.mark.parametrize(("family", "chunk"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_known_kind_in_a_shape_we_cannot_read_is_corrupt(family: str, chunk: Any) -> None:
    request = asked(EXAMPLES[family])
    target = target_of(request)
    with pytest.raises(UpstreamError) as caught:
        wire_of(target).decoder(request, target.model).decode(chunk)
    assert caught.value.code.name == "upstream_corrupt"


@pytest.mark.parametrize("family", EXAMPLES)
def test_a_body_without_a_chunk_is_truncated(family: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        decoded(asked(EXAMPLES[family]), [])
    assert caught.value.code.name == "upstream_truncated"


@pytest.mark.parametrize("family", EXAMPLES)
def test_the_metrics_alone_end_an_answer(family: str) -> None:
    assert decoded(asked(EXAMPLES[family]), [LAST]) == [*MEASURED, Stop(StopReason.OTHER, None)]
