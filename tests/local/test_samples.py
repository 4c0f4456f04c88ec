"""The arguments that the local Bedrock writes satisfy their schema."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.local.text.schema_samples import Material, sample, write_match
from tests.examples import examples

PROMPT = 'Send "Hello there" to Ada Lovelace at 10:30 with 3 copies, priority high, in Oslo'

names = st.sampled_from(["city", "count", "when", "priority", "note", "items", "x1"])
lengths = {"minLength": st.integers(0, 9), "maxLength": st.integers(9, 40)}
bounds = {"minimum": st.integers(-9, 9), "maximum": st.integers(9, 99)}
patterns = st.sampled_from([r"^[A-Z]{2}-\d{3}$", r"^(red|blue)$", r"^\w+$"])
leaves = st.one_of(
    st.fixed_dictionaries({"type": st.just("string")}, optional=lengths),
    st.fixed_dictionaries({"type": st.just("integer")}, optional=bounds),
    st.fixed_dictionaries({"type": st.just("number"), "exclusiveMinimum": st.integers(-9, 9), "maximum": st.just(50)}),
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"]), "multipleOf": st.sampled_from([1, 2, 5])}),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["string", "null"]}),
    st.fixed_dictionaries({"enum": st.lists(st.sampled_from(["low", "high", 3, None]), min_size=1, unique=True)}),
    st.fixed_dictionaries({"const": st.sampled_from([1, "a", None, [1]])}),
    st.fixed_dictionaries({"type": st.just("string"), "pattern": patterns}),
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 3), "maxItems": st.integers(3, 4)},
    )
    objects = st.dictionaries(names, inner, max_size=4).map(
        lambda value: {
            "type": "object",
            "properties": value,
            "required": sorted(value)[:2],
            "additionalProperties": False,
        }
    )
    return st.one_of(arrays, objects, st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}))


@given(st.recursive(leaves, grown, max_leaves=8))
@examples(50)
def test_a_sample_satisfies_its_schema(schema: Any) -> None:
    jsonschema.validate(sample(schema, Material(PROMPT)), schema)


REFERRING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "to": {"$ref": "#/$defs/person"},
        "also": {"type": "array", "items": {"$ref": "#/$defs/person"}, "minItems": 2},
    },
    "required": ["to", "also"],
    "$defs": {
        "person": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "knows": {"$ref": "#/$defs/person"}},
            "required": ["name"],
        }
    },
}


def test_recursive_references_are_resolved_to_a_limited_depth() -> None:
    value = sample(REFERRING, Material(PROMPT))

    jsonschema.validate(value, REFERRING)
    assert value["to"]["name"] == "Hello there"


def test_all_of_is_merged() -> None:
    schema = {
        "allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"required": ["b"]}]
    }

    jsonschema.validate(sample(schema, Material(PROMPT)), schema)


def test_unique_items_differ() -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True}

    jsonschema.validate(sample(schema, Material("nothing")), schema)


@pytest.mark.parametrize("form", ["date", "date-time", "email", "uri", "uuid", "ipv4"])
def test_forms_are_kept(form: str) -> None:
    schema = {"type": "string", "format": form}

    jsonschema.validate(sample(schema, Material(PROMPT)), schema, format_checker=jsonschema.FormatChecker())


def test_words_of_the_prompt_become_values() -> None:
    schema = {
        "type": "object",
        "properties": {
            "copies": {"type": "integer"}, "priority": {"enum": ["low", "high"]}, "message": {"type": "string"},
        },
        "required": ["copies", "priority", "message"],
    }  # fmt: skip

    assert sample(schema, Material("Print 3 copies of Peer Gynt with high priority")) == {
        "copies": 3,
        "priority": "high",
        "message": "Print 3 copies of Peer Gynt with high priority",
    }


def test_a_pattern_is_written_out() -> None:
    assert write_match(r"^(?:red|blue)-\d{2}[a-f]+$") == "red-44a"


UNUSUAL = {
    "a reference to nowhere": ({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "required": ["a"]}, "Hi"),
    "a schema that refers to itself": ({"$ref": "#"}, "Hi"),
    "a schema that is merely true": ({"type": "object", "properties": {"a": True}, "required": ["a"]}, "Hi"),
    "a list that never ends": (
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1, "maxItems": 1}, "Hi"
    ),
    "a bound that is left out": ({"type": "number", "exclusiveMaximum": 5}, "At 9"),
    "a step above a bound": ({"type": "integer", "multipleOf": 5, "minimum": 3, "maximum": 9}, "At 1"),
    "a pattern that is none": ({"type": "string", "pattern": "("}, "Hi"),
    "a value in the prompt": ({"type": "object", "properties": {"size": {"type": "string"}}}, "size: XL"),
    "a long text": ({"type": "string", "minLength": 90}, "Hi"),
    "unique texts": ({"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True}, "In Oslo"),
    "an object without a type": ({"properties": {"a": {"type": "integer"}}}, "Hi"),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "prompt"), UNUSUAL.values(), ids=UNUSUAL)
def test_a_sample_satisfies_an_unusual_schema(schema: Any, prompt: str) -> None:
    assert sample(schema, Material(prompt)) is not None


def test_a_value_in_the_prompt_is_used() -> None:
    assert Material("Take size: XL, please").string("size") == "XL,".rstrip(",")
