"""Every model of the catalogue answers boto3 on both APIs, whole and streamed: the SDK's parser judges the bytes."""

import json

import pytest

from service.bedrock.catalog.resolution import MODELS, Model
from tests.local.bedrock import QUESTION, Bedrock, blocks_of, body_for, refused, said, text_of

SERIES = {model.series: model for model in MODELS}
STREAMING = [model for model in SERIES.values() if model.invoke.streams]


def by_id(model: Model) -> str:
    return model.id


@pytest.mark.parametrize("model", MODELS, ids=by_id)
def test_every_model_streams_on_converse_or_says_that_it_cannot(bedrock: Bedrock, model: Model) -> None:
    if not model.on("converse").streams:
        with refused("unsupported for streaming"):
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
def test_a_streamed_and_a_whole_answer_of_converse_say_the_same(bedrock: Bedrock, model: Model) -> None:
    whole = bedrock.converse(model.names[0])

    content = whole["output"]["message"]["content"]
    text = "".join(block.get("text", "") for block in content)
    assert "wells" in text
    if model.on("converse").streams:
        events = bedrock.stream(model.names[0])
        assert text_of(events) == text
        assert events[-1]["metadata"]["usage"] == whole["usage"]


@pytest.mark.parametrize("model", SERIES.values(), ids=SERIES)
def test_a_whole_answer_of_invoke_counts_in_its_headers(bedrock: Bedrock, model: Model) -> None:
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
def test_the_last_chunk_alone_holds_the_metrics(bedrock: Bedrock, model: Model) -> None:
    *others, last = bedrock.chunks(model.names[0], body_for(model))

    metrics = last["amazon-bedrock-invocationMetrics"]
    assert metrics["inputTokenCount"] > 5
    assert metrics["outputTokenCount"] > 20
    assert metrics["invocationLatency"] >= metrics["firstByteLatency"] >= 1
    assert not any("amazon-bedrock-invocationMetrics" in chunk for chunk in others)
    assert "wells" in said(model, [*others, last])


@pytest.mark.parametrize("model", [SERIES["jurassic"]], ids=by_id)
def test_jurassic_streams_on_neither_api(bedrock: Bedrock, model: Model) -> None:
    with refused("unsupported for streaming"):
        bedrock.chunks(model.names[0], body_for(model))


@pytest.mark.parametrize("model", STREAMING, ids=by_id)
def test_an_answer_ends_at_its_limit_of_tokens(bedrock: Bedrock, model: Model) -> None:
    *_, last = chunks = bedrock.chunks(model.names[0], body_for(model, limit=12))

    assert last["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 12
    words = ("length", "LENGTH", "max_tokens", "MAX_TOKENS")
    assert any(f'"{word}"' in json.dumps(chunk) for word in words for chunk in chunks[-3:])


@pytest.mark.parametrize("model", [model for model in STREAMING if model.invoke.prefill], ids=by_id)
@pytest.mark.parametrize("at", [1, 7, 40, 260])
def test_an_answer_goes_on_from_its_beginning(bedrock: Bedrock, model: Model, at: int) -> None:
    whole = said(model, bedrock.chunks(model.names[0], body_for(model)))
    beginning = whole[:at].rstrip() if model.family in {"claude_messages", "claude_text"} else whole[:at]

    rest = said(model, bedrock.chunks(model.names[0], body_for(model, so_far=beginning)))

    assert beginning + rest == whole


@pytest.mark.parametrize("model", [model for model in SERIES.values() if model.on("converse").prefill], ids=by_id)
def test_converse_goes_on_where_the_model_can(bedrock: Bedrock, model: Model) -> None:
    whole = text_of(bedrock.stream(model.names[0]))
    beginning = whole[:50].rstrip()
    messages = [
        {"role": "user", "content": [{"text": QUESTION}]},
        {"role": "assistant", "content": [{"text": beginning}]},
    ]

    events = bedrock.stream(model.names[0], messages=messages)

    assert beginning + text_of(events) == whole
    assert not any(block["thought"] for block in blocks_of(events))


HIDING = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl"
TELLING = [SERIES[name] for name in ("claude_3", "nova_1", "titan", "llama3", "command_r", "mistral_prompt", "qwen")]


@pytest.mark.parametrize("model", TELLING, ids=by_id)
def test_behind_an_arn_is_whatever_the_body_wants(bedrock: Bedrock, model: Model) -> None:
    chunks = bedrock.chunks(HIDING, body_for(model))

    assert "wells" in said(model, chunks)
    assert bedrock.invoke(HIDING, body_for(model))


def test_a_body_that_tells_nothing_is_refused_behind_an_arn(bedrock: Bedrock) -> None:
    with refused("Field required"):
        bedrock.invoke(HIDING, {})
    with refused("Input should be a valid object"):
        bedrock.runtime.invoke_model(modelId=HIDING, body=b"[]")
