"""Any JSON at all, to every reader of requests: a request comes of it, or a refusal that names a field."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from service.dialects import anthropic_messages, openai_chat, openai_responses, structure
from service.dialects.native.request import Generate, to_request
from service.errors import FieldError, InvalidRequest
from service.generation import Request
from service.http.problems import from_pydantic
from service.routers.conversations.bodies import Changes, NewConversation, Send
from tests.examples import examples
from tests.hostile import canaries

EXAMPLES = 40  # of each format

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from([
        "user", "assistant", "system", "tool", "text", "image", "document", "tool_use", "tool_result", "reasoning",
        "function", "auto", "data:image/png;base64,iVBORw0KGgo=", "http://a.example/x.png", "iVBORw0KGgo=", "base64",
        "thinking", "input_text", "item_reference", "json_schema", "enabled", "\0", "\ud800", " ", 10**30, -1,
    ])
)  # fmt: skip
NAMES = st.sampled_from([
    "messages", "content", "role", "type", "text", "model", "model_id", "prompt", "system", "input", "tools", "name",
    "function", "parameters", "input_schema", "tool_choice", "tool_calls", "tool_call_id", "tool_use_id", "id", "data",
    "media_type", "source", "image_url", "url", "file", "file_data", "filename", "arguments", "output", "call_id",
    "metadata", "extra", "stop", "stop_sequences", "temperature", "max_tokens", "max_output_tokens", "top_p", "top_k",
    "reasoning", "effort", "budget_tokens", "thinking", "signature", "redacted", "guardrail", "version", "stream",
    "stream_options", "response_format", "schema", "json_schema", "store", "previous_response_id", "instructions",
    "cache_control", "ttl", "citations", "reasoning_details", "summary", "encrypted_content", "output_config", "title",
    "max_messages", "replaces", "n", "modalities", "parallel_tool_calls", "betas", "thread", "mcp_servers",
])  # fmt: skip
ANYTHING = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=5),
    max_leaves=20,
)
BODIES = ANYTHING | st.dictionaries(NAMES, ANYTHING, max_size=6)


def native(shape: type[BaseModel]) -> Callable[[Any], object]:
    """Read as FastAPI does, and refuse as the service does."""

    def read(given: Any) -> object:
        structure.check(json.dumps(given).encode(), 800)
        try:
            asked = shape.model_validate(given)
        except ValidationError as error:
            mistakes: list[Any] = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            raise from_pydantic(mistakes) from None
        if isinstance(asked, Generate):
            return to_request(asked, asked.turns(), default_model_id="m", default_api="auto")
        return asked

    return read


def lenient(parse: Callable[[Any], Any]) -> Callable[[Any], object]:
    """Read as the surfaces made for others do: what their reader of JSON refuses never comes that far."""

    def read(given: Any) -> object:
        structure.check(json.dumps(given).encode(), 500)
        try:
            given = msgspec.json.decode(json.dumps(given))
        except (msgspec.DecodeError, RecursionError):
            raise InvalidRequest("This is no JSON.", [FieldError("body", "no JSON")]) from None
        return parse(given).request

    return read


def responses(given: Any) -> openai_responses.ResponsesRequest:
    """Look for what it refers to, and read it."""
    openai_responses.references(given)
    return openai_responses.parse(given)


PARSERS: dict[str, tuple[Callable[[Any], object], Any]] = {
    "native": (native(Generate), canaries.native()),
    "a conversation": (native(NewConversation), {"title": "T", "system": "S", "model_id": "m", "max_messages": 3}),
    "a change": (native(Changes), {"title": "T", "system": None, "max_messages": 3}),
    "a send": (native(Send), {"content": [{"type": "text", "text": "Hi"}], "tools": canaries.native()["tools"]}),
    "chat": (lenient(openai_chat.parse), canaries.chat()),
    "responses": (lenient(responses), canaries.responses()),
    "messages": (lenient(anthropic_messages.parse), canaries.messages()),
}
parsers = pytest.mark.parametrize(("parser", "sound"), PARSERS.values(), ids=PARSERS)


def judged(parser: Callable[[Any], object], given: Any) -> object:
    """What comes of it; a refusal has to be one of ours, and to say which field it is about."""
    try:
        return parser(given)
    except InvalidRequest as refused:
        refusal = refused
    assert refusal.message
    assert 0 < len(refusal.fields) <= 100
    assert all(len(field.field) <= 4096 and field.message for field in refusal.fields)
    return None


@parsers
@examples(EXAMPLES)
@given(given_=BODIES)
def test_anything_is_a_request_or_refused(parser: Callable[[Any], object], sound: Any, given_: Any) -> None:
    assert judged(parser, sound) is not None
    judged(parser, given_)


@parsers
@examples(EXAMPLES)
@given(data=st.data())
def test_a_sound_request_with_one_thing_changed_is_one_or_refused(
    parser: Callable[[Any], object], sound: Any, data: st.DataObject
) -> None:
    given_ = json.loads(json.dumps(sound))
    _change(given_, data)
    judged(parser, given_)


def _change(value: Any, data: st.DataObject) -> None:
    """Put anything in place of something, somewhere within."""
    while True:
        names = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not names:
            return
        name = data.draw(st.sampled_from(names))
        inner = value[name]
        if isinstance(inner, dict | list) and inner and data.draw(st.integers(0, 3)):
            value = inner
            continue
        match data.draw(st.sampled_from(["other", "gone", "more"])):
            case "other":
                value[name] = data.draw(ANYTHING)
            case "gone":
                del value[name]
            case "more" if isinstance(value, dict):
                value[data.draw(NAMES | st.text(max_size=4))] = data.draw(ANYTHING)
        return


DEEP: Any = json.loads("[" * 500 + "]" * 500)
MANY = 310_000
HUGE: dict[str, Callable[[], dict[str, Any]]] = {
    "members": lambda: {f"a{number}": 1 for number in range(MANY // 5)},
    "values": lambda: {"metadata": [1] * MANY},
    "messages": lambda: {"messages": [{"role": "user", "content": "x"}] * 20_000},
    "items": lambda: {"input": [{"role": "user", "content": "x"}] * 20_000},
    "blocks": lambda: {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}] * 2_000}]},
    "tools": lambda: {"tools": [{"name": "a"}] * 600},
    "stop sequences": lambda: {"stop": ["x"] * 3_000, "stop_sequences": ["x"] * 3_000},
    "a model's name": lambda: {"model": "m" * 10_000, "model_id": "m" * 10_000},
    "levels": lambda: {"extra": {"a": DEEP}, "metadata": DEEP, "tools": DEEP},
    "levels in a tool": lambda: {
        "tools": [{"name": "a", "type": "function", "input_schema": {"a": DEEP}, "parameters": {"a": DEEP}}]
    },
    "levels under no name": lambda: {"anything": DEEP},
    "one long name": lambda: {"a" * 1_000_000: 1, "metadata": {"b" * 1_000_000: 1}},
}


@pytest.mark.parametrize("make", HUGE.values(), ids=HUGE)
@parsers
def test_what_is_beyond_all_bounds_is_refused_and_costs_little(
    parser: Callable[[Any], object], sound: Any, make: Callable[[], dict[str, Any]]
) -> None:
    given_ = {**sound, **make()}
    size = len(json.dumps(given_))
    tracemalloc.start()
    try:
        judged(parser, given_)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 100_000 + 20 * size


@pytest.mark.parametrize("name", ["messages", "blocks", "tools", "stop sequences", "levels", "levels in a tool"])
@pytest.mark.parametrize("form", ["native", "chat", "messages"])
def test_what_is_too_much_is_named(form: str, name: str) -> None:
    parser, sound = PARSERS[form]
    given_ = {**sound, **{field: value for field, value in HUGE[name]().items() if form != "native" or field != "stop"}}
    if form == "native":
        given_.pop("parameters", None)

    with pytest.raises(InvalidRequest) as raised:
        parser(given_)
    assert raised.value.fields[0].field.split(".")[0] in {
        "messages",
        "tools",
        "stop",
        "stop_sequences",
        "metadata",
        "extra",
    }


def test_the_readers_give_requests() -> None:
    for name in ("native", "chat", "responses", "messages"):
        parser, sound = PARSERS[name]
        assert isinstance(parser(sound), Request)
