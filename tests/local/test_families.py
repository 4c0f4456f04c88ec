"""All models of the catalogue answer boto3 on both APIs, whole and streamed; the SDK parses the bytes."""

import json

import pytest

from service.bedrock.catalog.resolution import MODELS, Model
from tests.local.bedrock import QUESTION, Bedrock, blocks_of, body_for, join_chunks, rejected, text_of

SERIES = {model.series: model for model in MODELS}
STREAMING = [model for model in SERIES.values() if model.invoke.streams]


def by_id(model: Model) -> str:
    return model.id


@pytest.mark.parametrize("model", MODELS, ids=by_id)
def test_every_model_streams_on_converse_or_rejects_streaming(bedrock: Bedrock, model: Model) -> None:
    if not model.on("converse").streams:
        with rejected("unsupported for streaming"):
            bedrock.stream(model.names[0])
        return

    *deltas, stop, metadata = bedrock.stream(model.names[0])

    assert deltas[0] == {"messageStart": {"role": "assistant"}}
    assert stop["messageStop"]["stopReason"] == "end_turn"
    assert "wells" in text_of(deltas)
    usage = metadata["metadata"]["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] > 20
    assert metadata["metadata"]["metrics"]["latencyMs"] >= 1


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_streamed_and_whole_answers_of_converse_are_equal(bedrock: Bedrock, model: Model) -> None:
    whole = bedrock.converse(model.names[0])

    content = whole["output"]["message"]["content"]
    text = "".join(block.get("text", "") for block in content)
    assert "wells" in text
    if model.on("converse").streams:
        events = bedrock.stream(model.names[0])
        assert text_of(events) == text
        assert events[-1]["metadata"]["usage"] == whole["usage"]


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_a_whole_answer_of_invoke_has_token_counts_in_its_headers(bedrock: Bedrock, model: Model) -> None:
    body = body_for(model)
    body.pop("stream", None)

    answer = bedrock.runtime.invoke_model(modelId=model.names[0], body=json.dumps(body))

    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert int(headers["x-amzn-bedrock-input-token-count"]) > 5
    assert int(headers["x-amzn-bedrock-output-token-count"]) > 20
    assert int(headers["x-amzn-bedrock-invocation-latency"]) >= 1
    assert b"wells" in answer["body"].read()
    assert answer["contentType"] == "application/json"


@pytest.mark.parametrize("model", STREAMING, ids=by_id)
def test_only_the_last_chunk_has_the_metrics(bedrock: Bedrock, model: Model) -> None:
    *others, last = bedrock.chunks(model.names[0], body_for(model))

    metrics = last["amazon-bedrock-invocationMetrics"]
    assert metrics["inputTokenCount"] > 5
    assert metrics["outputTokenCount"] > 20
    assert metrics["invocationLatency"] >= metrics["firstByteLatency"] >= 1
    assert not any("amazon-bedrock-invocationMetrics" in chunk for chunk in others)
    assert "wells" in join_chunks(model, [*others, last])


@pytest.mark.parametrize("model", [SERIES["jurassic"]], ids=by_id)
def test_jurassic_streams_on_neither_api(bedrock: Bedrock, model: Model) -> None:
    with rejected("unsupported for streaming"):
        bedrock.chunks(model.names[0], body_for(model))


@pytest.mark.parametrize("model", STREAMING, ids=by_id)
def test_an_answer_ends_at_its_limit_of_tokens(bedrock: Bedrock, model: Model) -> None:
    *_, last = chunks = bedrock.chunks(model.names[0], body_for(model, limit=12))

    assert last["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 12
    words = ("length", "LENGTH", "max_tokens", "MAX_TOKENS")
    assert any(f'"{word}"' in json.dumps(chunk) for word in words for chunk in chunks[-3:])


@pytest.mark.parametrize("model", [model for model in STREAMING if model.invoke.prefill], ids=by_id)
@pytest.mark.parametrize("at", [1, 7, 40, 260])
def test_an_answer_continues_its_prefill(bedrock: Bedrock, model: Model, at: int) -> None:
    whole = join_chunks(model, bedrock.chunks(model.names[0], body_for(model)))
    beginning = whole[:at].rstrip() if model.family in {"claude_messages", "claude_text"} else whole[:at]

    rest = join_chunks(model, bedrock.chunks(model.names[0], body_for(model, so_far=beginning)))

    assert beginning + rest == whole


@pytest.mark.parametrize("model", [model for model in SERIES.values() if model.on("converse").prefill], ids=by_id)
def test_an_answer_of_converse_continues_its_prefill(bedrock: Bedrock, model: Model) -> None:
    whole = text_of(bedrock.stream(model.names[0]))
    beginning = whole[:50].rstrip()
    messages = [
        {"role": "user", "content": [{"text": QUESTION}]},
        {"role": "assistant", "content": [{"text": beginning}]},
    ]

    events = bedrock.stream(model.names[0], messages=messages)

    assert beginning + text_of(events) == whole
    assert not any(block["reasoning"] for block in blocks_of(events))


OPAQUE_ARN = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl"
IDENTIFIABLE = [
    SERIES[name] for name in ("claude_3", "nova_1", "titan", "llama3", "command_r", "mistral_prompt", "qwen")
]


@pytest.mark.parametrize("model", IDENTIFIABLE, ids=by_id)
def test_an_arn_without_a_model_answers_in_the_family_of_the_body(bedrock: Bedrock, model: Model) -> None:
    chunks = bedrock.chunks(OPAQUE_ARN, body_for(model))

    assert "wells" in join_chunks(model, chunks)
    assert bedrock.invoke(OPAQUE_ARN, body_for(model))


def test_an_arn_without_a_model_rejects_an_unidentifiable_body(bedrock: Bedrock) -> None:
    with rejected("Field required"):
        bedrock.invoke(OPAQUE_ARN, {})
    with rejected("Input should be a valid object"):
        bedrock.runtime.invoke_model(modelId=OPAQUE_ARN, body=b"[]")
