"""What `extra` may not set: the members in which a wire carries the prompt, the system prompt, tools or the length."""

from collections.abc import Iterator
from typing import Any

import pytest

from service.bedrock.catalog.resolution import resolve
from service.bedrock.rules.own_members import CONVERSE, FAMILIES, refusals
from service.bedrock.rules.parameters import check
from service.bedrock.wires import families
from service.errors import InvalidRequest
from service.generation import Guardrail, Image, Message, Request, Text, Tool, ToolResult, ToolUse
from tests.families.wire import EXAMPLES, asked, body

CANARY = "nightingale"
LENGTH = 4321
TURNS = (Message("user", (Text(CANARY),)), Message("assistant", (Text(CANARY),)), Message("user", (Text(CANARY),)))
CALLED = (
    Message("user", (Text(CANARY),)),
    Message("assistant", (ToolUse("c1", CANARY, {CANARY: 1}),)),
    Message("user", (ToolResult("c1", (Text(CANARY),)),)),
)
FIELDS: dict[str, Any] = {
    "turns": {"messages": TURNS},
    "system": {"system": (Text(CANARY),)},
    "tools": {"tools": (Tool(CANARY, {"type": "object", "description": CANARY}),)},
    "results": {"messages": CALLED, "tools": (Tool(CANARY, {"type": "object"}),)},
    "an image": {"messages": (Message("user", (Text("x"), Image("image/png", CANARY))),)},
    "length": {"max_tokens": LENGTH},
}


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The paths, at most two members deep, below which a canary stands."""
    if isinstance(value, dict) and path.count(".") < 1:
        for name, member in value.items():
            yield from paths(member, f"{path}.{name}" if path else name)
    elif CANARY in str(value) or value == LENGTH:
        yield path


def carried(model: str, api: Any) -> set[str]:
    """Where the body for a model carries what the request says."""
    found: set[str] = set()
    for fields in FIELDS.values():
        try:
            request = asked(model, api=api, **fields)
            found |= set(paths(body(request)))
        except InvalidRequest:  # this family does not take it
            continue
    assert found
    return found


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_member_that_carries_a_request_is_declared(family: str) -> None:
    declared = FAMILIES[family]

    undeclared = {
        path for path in carried(EXAMPLES[family], "invoke") if not {path, path.split(".")[0]} & set(declared)
    }
    assert undeclared == set()


def test_converse_declares_its_members_too() -> None:
    undeclared = {
        path for path in carried(EXAMPLES["nova"], "converse") if not {path, path.split(".")[0]} & set(CONVERSE)
    }
    assert undeclared == set()


@pytest.mark.parametrize("api", ["invoke", "converse"])
@pytest.mark.parametrize("family", EXAMPLES)
def test_each_is_refused_by_name_wherever_it_stands(family: str, api: Any) -> None:
    target = resolve(Request(EXAMPLES[family], (), api=api))
    for path in FAMILIES[family]:
        outer, _, inner = path.partition(".")
        for extra, named in (
            ({outer: {inner: CANARY} if inner else CANARY}, path),
            ({outer: None}, outer),
            ({outer: [CANARY]}, outer),
        ):
            assert [error.field for error in refusals(extra, target)] == [f"extra.{named}"]


def test_the_way_of_streaming_of_a_guardrail_is_the_requests_own() -> None:
    request = asked(
        EXAMPLES["titan"], guardrail=Guardrail("g", "1"), extra={"amazon-bedrock-guardrailConfig": {"tagSuffix": "x"}}
    )
    with pytest.raises(InvalidRequest) as raised:
        check(request, resolve(request))
    assert [error.field for error in raised.value.fields] == ["extra.amazon-bedrock-guardrailConfig"]


def test_everything_else_is_passed_on() -> None:
    extra = {"inferenceConfig": {"topK": 5}, "seed": 1, "thinking": {"type": "disabled"}, "anthropic_beta": ["x"]}
    for family, model in EXAMPLES.items():
        assert not list(refusals(extra, resolve(Request(model, (), api="invoke")))), family
