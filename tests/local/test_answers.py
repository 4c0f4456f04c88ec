"""The parts of an answer besides text: reasoning, citations, cache, stop reasons, limits, guardrails, schemas."""

import json
from base64 import b64decode, b64encode
from typing import Any

import httpx
import jsonschema
import pytest

from service.bedrock.catalog.resolution import MODELS
from service.local.meter import InputTokens, TokenCounter
from service.local.prompt import LocalPrompt, PromptCachePoint, PromptText, PromptTurn
from service.local.text.tokens import count
from tests.local.bedrock import (
    CLAUDE,
    QUESTION,
    Bedrock,
    Json,
    blocks_of,
    body_for,
    join_chunks,
    rejected,
    text_of,
    user,
)

SERIES = {model.series: model for model in MODELS}
NOVA = "us.amazon.nova-pro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
OPUS_5_5 = "global.anthropic.claude-opus-5-5"
GPT_OSS = "openai.gpt-oss-120b-1:0"
THINKING: Json = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}}}
GUARDRAIL = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "enabled"}


def test_claude_signs_its_reasoning(bedrock: Bedrock) -> None:
    events = bedrock.stream(**THINKING)
    whole = bedrock.converse(**THINKING)["output"]["message"]["content"]

    reasoning, answer = blocks_of(events)
    assert reasoning["reasoning"] == whole[0]["reasoningContent"]["reasoningText"]["text"]
    assert reasoning["signature"] == whole[0]["reasoningContent"]["reasoningText"]["signature"]
    assert answer["text"] == whole[1]["text"]
    assert not any("contentBlockStart" in event for event in events)


def test_some_models_always_reason(bedrock: Bedrock) -> None:
    assert blocks_of(bedrock.stream(OPUS_5_5))[0]["reasoning"]
    with rejected("always thinks"):
        bedrock.stream(OPUS_5_5, additionalModelRequestFields={"thinking": {"type": "disabled"}})


def test_reasoning_can_be_redacted(bedrock: Bedrock) -> None:
    events = bedrock.stream(prompt="Show me redacted thinking", **THINKING)

    hidden = blocks_of(events)[0]["redactedContent"]
    assert b64decode(b64decode(b64encode(hidden)))
    body = {
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [{"role": "user", "content": "Show me redacted thinking"}],
    }  # fmt: skip
    start = bedrock.chunks(CLAUDE, body)[1]
    assert start["content_block"]["type"] == "redacted_thinking"
    assert start["content_block"]["data"]


def test_nova_redacts_its_reasoning(bedrock: Bedrock) -> None:
    reasoning = {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}

    assert blocks_of(bedrock.stream(NOVA_2, additionalModelRequestFields=reasoning))[0]["reasoning"] == "[REDACTED]"
    answer = bedrock.invoke(NOVA_2, {"messages": [user("Hi there")]} | reasoning)
    assert answer["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]["text"] == "[REDACTED]"


def test_gpt_oss_begins_with_an_empty_block(bedrock: Bedrock) -> None:
    events = bedrock.stream(GPT_OSS)

    assert events[1] == {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": ""}}}
    assert events[2] == {"contentBlockStop": {"contentBlockIndex": 0}}
    empty, reasoning, answer = blocks_of(events)
    assert (empty["text"], bool(reasoning["reasoning"]), bool(answer["text"])) == ("", True, True)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("deepseek.v3.2", {"reasoning_effort": "high"}),
        ("us.openai.gpt-6-sol", {"reasoning": {"effort": "high"}}),
        ("qwen.qwen3-32b-v1:0", {"reasoning_config": "low"}),
        ("us.deepseek.r1-v1:0", None),
        ("minimax.minimax-m2", None),
    ],
)
def test_other_models_reason_on_request_or_always(bedrock: Bedrock, model: str, fields: Json | None) -> None:
    extra: Json = {"additionalModelRequestFields": fields} if fields else {}

    assert any(block["reasoning"] for block in blocks_of(bedrock.stream(model, **extra)))


def test_a_whole_answer_of_r1_has_its_text_before_its_reasoning(bedrock: Bedrock) -> None:
    content = bedrock.converse("us.deepseek.r1-v1:0")["output"]["message"]["content"]

    assert [next(iter(block)) for block in content] == ["text", "reasoningContent"]


def test_r1_closes_its_reasoning_with_a_tag_on_invoke(bedrock: Bedrock) -> None:
    model = SERIES["deepseek_r1"]

    reasoning, closed, answer = join_chunks(model, bedrock.chunks(model.names[0], body_for(model))).partition(
        "\n</think>\n\n"
    )

    assert reasoning
    assert closed
    assert answer


def test_gpt_oss_tags_each_piece_of_reasoning_on_invoke(bedrock: Bedrock) -> None:
    chunks = bedrock.chunks(GPT_OSS, {"messages": [{"role": "user", "content": QUESTION}]})

    contents = [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]
    thoughts = [content for content in contents if "<reasoning>" in content]
    assert len(thoughts) > 3
    assert all(content.startswith("<reasoning>") and content.endswith("</reasoning>") for content in thoughts)
    assert not any("usage" in chunk for chunk in chunks)


@pytest.mark.parametrize(("series", "times"), [("gpt_oss", 1), ("gpt", 2)])
def test_usage_is_sent_on_request(bedrock: Bedrock, series: str, times: int) -> None:
    body = {"messages": [{"role": "user", "content": QUESTION}], "stream_options": {"include_usage": True}}

    chunks = bedrock.chunks(SERIES[series].names[0], body)

    reports = [chunk for chunk in chunks if chunk.get("usage")]
    assert len(reports) == times
    assert all(chunk["choices"] == [] for chunk in reports)
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    assert chunks[-1]["usage"]["completion_tokens"] == metrics["outputTokenCount"]


def test_command_sends_the_whole_body_without_stream(bedrock: Bedrock) -> None:
    (chunk,) = bedrock.chunks("cohere.command-text-v14", {"prompt": QUESTION, "max_tokens": 50})

    assert chunk["generations"][0]["text"].startswith(" ")
    assert "amazon-bedrock-invocationMetrics" in chunk


def test_command_numbers_several_generations(bedrock: Bedrock) -> None:
    body = {"prompt": QUESTION, "max_tokens": 9, "num_generations": 2, "stream": True}
    *chunks, last = bedrock.chunks("cohere.command-text-v14", body)

    assert [chunk["index"] for chunk in chunks] == sorted(chunk["index"] for chunk in chunks)
    assert {chunk["index"] for chunk in chunks} == {0, 1}
    assert "index" not in last


def test_a_short_answer_of_titan_is_one_chunk(bedrock: Bedrock) -> None:
    body = {"inputText": QUESTION, "textGenerationConfig": {"maxTokenCount": 20}}
    (chunk,) = bedrock.chunks("amazon.titan-text-express-v1", body)

    assert chunk["completionReason"] == "LENGTH"
    assert chunk["totalOutputTextTokenCount"] == 20
    assert chunk["inputTextTokenCount"] > 5


def test_llama_counts_the_prompt_once_and_the_answer_in_every_chunk(bedrock: Bedrock) -> None:
    chunks = bedrock.chunks("meta.llama3-8b-instruct-v1:0", body_for(SERIES["llama3"]))

    assert [chunk["prompt_token_count"] is None for chunk in chunks] == [False] + [True] * (len(chunks) - 1)
    counts = [chunk["generation_token_count"] for chunk in chunks]
    assert counts == sorted(counts)


def test_documents_are_cited_before_their_text(bedrock: Bedrock) -> None:
    source = {"bytes": b"Water rises under its own pressure. It needs no pump."}
    document = {"name": "wells", "format": "txt", "source": source, "citations": {"enabled": True}}
    messages = [user("What does it say?", {"document": document})]

    events = bedrock.stream(messages=messages)
    whole = bedrock.converse(messages=messages)["output"]["message"]["content"]

    cited, plain = blocks_of(events)
    (citation,) = cited["cites"]
    assert citation["location"]["documentChar"] == {"documentIndex": 0, "start": 0, "end": 35}
    assert citation["sourceContent"] == [{"text": "Water rises under its own pressure."}]
    assert not plain["cites"]
    first = next(event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event)
    assert "citation" in first
    assert whole[0]["citationsContent"]["citations"] == [citation]


def test_claude_cites_documents_on_invoke(bedrock: Bedrock) -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": b64encode(b"%PDF-1.7").decode()}
    text = {"type": "text", "media_type": "text/plain", "data": "Water rises."}
    documents = [
        {"type": "document", "source": source, "title": "wells", "citations": {"enabled": True}}
        for source in (text, pdf)
    ]
    content = [*documents, {"type": "text", "text": "What do they say?"}]
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": content}],
    }

    deltas = [chunk["delta"] for chunk in bedrock.chunks(CLAUDE, body) if chunk["type"] == "content_block_delta"]

    citations = [delta["citation"] for delta in deltas if delta["type"] == "citations_delta"]
    assert [citation["type"] for citation in citations] == ["char_location", "page_location"]
    assert citations[0]["cited_text"] == "Water rises."


@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_a_cached_prefix_is_written_and_then_read(bedrock: Bedrock, model: str) -> None:
    system = [{"text": f"You know all about {model} and water. " * 200}, {"cachePoint": {"type": "default"}}]

    first = bedrock.stream(model, system=system)[-1]["metadata"]["usage"]
    second = bedrock.stream(model, system=system)[-1]["metadata"]["usage"]

    assert first["cacheWriteInputTokens"] > 1_024
    assert first["cacheReadInputTokens"] == 0
    assert second["cacheReadInputTokens"] == first["cacheWriteInputTokens"]
    assert second["cacheWriteInputTokens"] == 0
    assert second["inputTokens"] == first["inputTokens"] < 100
    assert second["totalTokens"] == sum(value for name, value in second.items() if name != "totalTokens")


def test_a_short_prefix_is_not_cached(bedrock: Bedrock) -> None:
    system = [{"text": "Be kind."}, {"cachePoint": {"type": "default"}}]

    assert bedrock.stream(system=system)[-1]["metadata"]["usage"]["cacheWriteInputTokens"] == 0


def test_an_answer_stops_before_a_stop_sequence(bedrock: Bedrock) -> None:
    whole = text_of(bedrock.stream())
    word = whole.split()[7]

    events = bedrock.stream(
        inferenceConfig={"stopSequences": ["not in the text", word]},
        additionalModelResponseFieldPaths=["/delta/stop_sequence"],
    )

    assert text_of(events) == whole[: whole.index(word)]
    stop = events[-2]["messageStop"]
    assert stop["stopReason"] == "stop_sequence"
    assert stop["additionalModelResponseFields"] == {"delta": {"stop_sequence": word}}


def test_a_token_limit_cuts_the_answer_at_a_token(bedrock: Bedrock) -> None:
    whole = text_of(bedrock.stream())

    events = bedrock.stream(inferenceConfig={"maxTokens": 9})

    assert whole.startswith(text_of(events))
    assert events[-2]["messageStop"]["stopReason"] == "max_tokens"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 9


def test_count_tokens_agrees_with_the_usage(bedrock: Bedrock) -> None:
    model = "anthropic.claude-haiku-4-5-20251001-v1:0"
    messages = [user("How many tokens is this, roughly?")]
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "How many?"}],
    }

    counted = bedrock.runtime.count_tokens(modelId=model, input={"converse": {"messages": messages}})
    raw = bedrock.runtime.count_tokens(modelId=model, input={"invokeModel": {"body": json.dumps(body)}})

    assert counted["inputTokens"] == bedrock.converse(messages=messages)["usage"]["inputTokens"]
    assert raw["inputTokens"] == bedrock.invoke(CLAUDE, body)["usage"]["input_tokens"]


def test_count_tokens_rejects_profiles(bedrock: Bedrock) -> None:
    with rejected("doesn't support counting tokens"):
        bedrock.runtime.count_tokens(modelId=CLAUDE, input={"converse": {"messages": [user("Hi")]}})


def test_count_tokens_rejects_an_invalid_body(bedrock: Bedrock) -> None:
    with rejected("is blank"):
        bedrock.runtime.count_tokens(
            modelId="anthropic.claude-haiku-4-5-20251001-v1:0", input={"converse": {"messages": [user(" ")]}}
        )


def test_a_guardrail_blocks_on_converse(bedrock: Bedrock) -> None:
    events = bedrock.stream(prompt="Say something forbidden", guardrailConfig=GUARDRAIL)
    quiet = bedrock.stream(prompt="Say something forbidden", guardrailConfig=GUARDRAIL | {"trace": "disabled"})
    whole = bedrock.converse(prompt="Say something forbidden", guardrailConfig=GUARDRAIL)

    assert events[-2]["messageStop"]["stopReason"] == whole["stopReason"] == "guardrail_intervened"
    trace = events[-1]["metadata"]["trace"]["guardrail"]
    assert trace["inputAssessment"]["abc123"]["wordPolicy"]["customWords"][0]["match"] == "forbidden"
    assert whole["trace"]["guardrail"]["actionReason"]
    assert "trace" not in quiet[-1]["metadata"]


def test_a_guardrail_passes_allowed_prompts(bedrock: Bedrock) -> None:
    events = bedrock.stream(guardrailConfig=GUARDRAIL)

    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert "wordPolicy" not in events[-1]["metadata"]["trace"]["guardrail"]["inputAssessment"]["abc123"]


@pytest.mark.parametrize("series", ["claude_3", "nova_1", "llama3", "gpt_oss", "mistral_prompt", "command_r"])
def test_a_guardrail_marks_the_chunks_of_invoke(bedrock: Bedrock, series: str) -> None:
    model = SERIES[series]
    marks = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "ENABLED"}

    chunks = bedrock.chunks(model.names[0], body_for(model, "Something forbidden"), **marks)
    allowed = bedrock.chunks(model.names[0], body_for(model), **marks)

    assert {chunk["amazon-bedrock-guardrailAction"] for chunk in chunks} == {"INTERVENED"}
    assert {chunk["amazon-bedrock-guardrailAction"] for chunk in allowed} == {"NONE"}
    assert "guardrail does not allow" in join_chunks(model, chunks)
    assert chunks[-1]["amazon-bedrock-trace"]["guardrail"]["input"]["abc123"]["wordPolicy"]


def test_a_blocked_answer_of_titan_is_one_chunk(bedrock: Bedrock) -> None:
    body = {"inputText": "Something forbidden"}

    (chunk,) = bedrock.chunks("amazon.titan-text-express-v1", body, guardrailIdentifier="abc", guardrailVersion="1")

    assert isinstance(chunk["inputTextTokenCount"], float)
    assert "completionReason" not in chunk
    assert "amazon-bedrock-invocationMetrics" not in chunk


def test_a_guardrail_can_be_applied_without_a_model(bedrock: Bedrock) -> None:
    def apply(text: str) -> Any:
        arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc123"
        content = [{"text": {"text": text}}]
        return bedrock.runtime.apply_guardrail(
            guardrailIdentifier=arn, guardrailVersion="DRAFT", source="INPUT", content=content
        )

    assert apply("A forbidden thing")["action"] == "GUARDRAIL_INTERVENED"
    assert apply("A kind thing")["action"] == "NONE"


def test_an_answer_satisfies_the_schema(url: str, bedrock: Bedrock) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["city", "n"],
    }
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}
    body = {"messages": [user("Tell me of Oslo")], "outputConfig": {"textFormat": form}}
    chat = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    messages = [{"role": "user", "content": "Tell me of Oslo"}]

    converse = httpx.post(f"{url}/model/{CLAUDE}/converse", json=body, trust_env=False).json()
    invoke = bedrock.invoke("google.gemma-3-4b-it", {"messages": messages, "response_format": chat})

    jsonschema.validate(json.loads(converse["output"]["message"]["content"][0]["text"]), schema)
    jsonschema.validate(json.loads(invoke["choices"][0]["message"]["content"]), schema)


def test_frames_have_padding_of_different_lengths(url: str) -> None:
    from botocore.eventstream import EventStreamBuffer

    body = {"messages": [user(QUESTION)]}
    answer = httpx.post(f"{url}/model/{CLAUDE}/converse-stream", json=body, trust_env=False)
    buffer = EventStreamBuffer()
    buffer.add_data(answer.content)

    payloads = [json.loads(message.payload) for message in buffer]
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    assert all(2 <= len(payload["p"]) <= 60 and alphabet.startswith(payload["p"]) for payload in payloads)
    assert len({len(payload["p"]) for payload in payloads}) > 5
    assert all(list(payload)[:-1] == sorted(list(payload)[:-1]) for payload in payloads)
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert answer.headers["x-amzn-requestid"]


def test_the_answer_repeats_the_requested_tier(url: str) -> None:
    body = {"messages": [user("Hi")], "serviceTier": {"type": "flex"}, "performanceConfig": {"latency": "standard"}}

    answer = httpx.post(f"{url}/model/{CLAUDE}/converse", json=body, trust_env=False).json()

    assert answer["serviceTier"] == {"type": "flex"}
    assert answer["performanceConfig"] == {"latency": "standard"}


def test_a_guardrail_marks_a_whole_answer_of_invoke(bedrock: Bedrock) -> None:
    marks = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "ENABLED"}

    answer = bedrock.invoke(CLAUDE, body_for(SERIES["claude_3"], "Something forbidden"), **marks)

    assert answer["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert answer["amazon-bedrock-trace"]["guardrail"]["actionReason"]


def test_a_whole_answer_can_have_redacted_reasoning(bedrock: Bedrock) -> None:
    body = {
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [{"role": "user", "content": "Show me redacted thinking"}],
    }  # fmt: skip

    content = bedrock.converse(prompt="Show me redacted thinking", **THINKING)["output"]["message"]["content"]

    assert content[0]["reasoningContent"]["redactedContent"]
    assert bedrock.invoke(CLAUDE, body)["content"][0]["type"] == "redacted_thinking"


def test_the_token_limit_can_end_the_answer_after_its_reasoning(bedrock: Bedrock) -> None:
    whole = bedrock.stream(GPT_OSS)
    reasoning = blocks_of(whole)[1]["reasoning"]
    spent = count(reasoning)

    events = bedrock.stream(GPT_OSS, inferenceConfig={"maxTokens": spent})

    assert [block["reasoning"] for block in blocks_of(events)] == ["", reasoning]
    assert events[-2]["messageStop"]["stopReason"] == "max_tokens"


def test_a_whole_answer_names_its_stop_sequence(bedrock: Bedrock) -> None:
    answer = bedrock.converse(
        prompt="Count to 9",
        inferenceConfig={"stopSequences": ["5"]},
        additionalModelResponseFieldPaths=["/stop_sequence"],
    )

    assert answer["output"]["message"]["content"] == [{"text": "1, 2, 3, 4, "}]
    assert answer["additionalModelResponseFields"] == {"stop_sequence": "5"}


def test_jurassic_names_its_stop_reason(bedrock: Bedrock) -> None:
    model = "ai21.j2-mid-v1"

    stopped = bedrock.invoke(model, {"prompt": "Count to 9", "stopSequences": ["5"]})["completions"][0]
    limited = bedrock.invoke(model, {"prompt": "Count to 9", "maxTokens": 3})["completions"][0]

    assert stopped["finishReason"] == {"reason": "stop", "sequence": "5"}
    assert limited["finishReason"] == {"reason": "length", "length": 3}
    assert "".join(token["generatedToken"]["token"] for token in limited["data"]["tokens"])


@pytest.mark.parametrize(
    "input_", [{}, {"invokeModel": {"body": "!"}}, {"invokeModel": []}, {"converse": {}, "invokeModel": {}}]
)
def test_count_tokens_rejects_a_malformed_input(url: str, input_: Json) -> None:
    path = f"{url}/model/anthropic.claude-3-haiku-20240307-v1:0/count-tokens"

    assert httpx.post(path, json={"input": input_}, trust_env=False).status_code == 400


def test_apply_guardrail_rejects_a_body_that_is_not_json(url: str) -> None:
    answer = httpx.post(f"{url}/guardrail/abc/version/1/apply", content=b"{", trust_env=False)

    assert answer.status_code == 400


def test_the_number_of_cached_prefixes_is_bounded() -> None:
    meter = TokenCounter()
    model = SERIES["claude_3"]

    def ask(number: int) -> InputTokens:
        text = PromptText(f"{number} " + "water " * 1_100)
        return meter.measure(LocalPrompt(model, (PromptTurn("user", (text, PromptCachePoint())),), 100))

    first = ask(0)
    for number in range(1, 1_002):
        ask(number)

    assert first.cache_write > 1_024
    assert ask(0).cache_write == first.cache_write
    assert ask(1_001).cache_read > 1_024
