"""What a decoder recognises at first sight it would have read to the same from the whole tree."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bedrock.catalog import resolution
from service.bedrock.wires.families import wire_of
from service.bedrock.wires.family import Decoder
from service.deltas import TextDelta
from service.errors import UpstreamError
from service.generation import Api, Message, Request, Text

CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"

words = st.text(max_size=8) | st.integers() | st.none() | st.booleans()
texts = st.fixed_dictionaries({"text": words}, optional={"type": st.sampled_from(["text_delta", "thinking_delta"])})
deltas = texts | st.dictionaries(st.sampled_from(["text", "toolUse", "type", "reasoningContent", "x"]), words)
indexes = st.integers(-2, 5) | st.none() | st.booleans() | st.just("0") | st.just(1.0)
converse_events = st.fixed_dictionaries(
    {}, optional={"contentBlockIndex": indexes, "delta": deltas | words, "p": words}
)
claude_chunks = st.fixed_dictionaries(
    {"type": st.sampled_from(["content_block_delta", "content_block_start", "ping", "error"])},
    optional={"index": indexes, "delta": deltas | words, "amazon-bedrock-invocationMetrics": st.just({}), "x": words},
)


def decoder(api: Api) -> Decoder:
    request = Request(model_id=CLAUDE, messages=(Message("user", (Text("Hello"),)),), api=api)
    target = resolution.resolve(request)
    return wire_of(target).decoder(request, target.model)


def agree(api: Api, said: Any, wrapped: Any) -> bool:
    """Whether both ways of reading agree on an event; what is not recognised is none of this test's business."""
    quick, whole = decoder(api), decoder(api)
    recognised = quick.text(json.dumps(said).encode())
    if recognised is None:
        return True
    try:
        return whole.decode(wrapped) == [recognised]
    except UpstreamError:
        return False


@given(converse_events)
def test_converse_reads_a_piece_of_text_the_same_either_way(said: Any) -> None:
    assert agree("converse", said, {"contentBlockDelta": said})


@given(claude_chunks)
def test_claudes_messages_read_a_piece_of_text_the_same_either_way(said: Any) -> None:
    assert agree("invoke", said, said)


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ("converse", {"contentBlockIndex": 3, "delta": {"text": "Hi"}, "p": "abc"}),
        ("invoke", {"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "Hi"}}),
    ],
    ids=["ConverseStream", "InvokeModelWithResponseStream"],
)
def test_a_piece_of_text_is_recognised(api: Api, said: Any) -> None:
    assert decoder(api).text(json.dumps(said).encode()) == TextDelta(0, "Hi")


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b'{"contentBlockIndex":0,"delta":{"text":"\\ud800"}}'])
@pytest.mark.parametrize("api", ["converse", "invoke"])
def test_what_is_no_event_is_left_to_the_tolerant_way(api: Api, payload: bytes) -> None:
    assert decoder(api).text(payload) is None
