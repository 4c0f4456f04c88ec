"""The OpenAPI document: 3.2, whole, and true to what the errors are."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service import __version__
from tests.harness import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMING = [
    ("/api/generate", "post"),
    ("/api/generate", "get"),
    ("/api/generate/stream", "post"),
    ("/api/streams/{stream_id}", "get"),
]


def walk(value: Any) -> Iterator[Json]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


async def test_it_is_openapi_3_2_of_this_version(document: Json) -> None:
    assert document["openapi"].startswith("3.2.")
    assert document["info"]["title"] == "Artesian"
    assert document["info"]["version"] == __version__


@pytest.mark.parametrize(("path", "method"), STREAMING)
async def test_a_stream_is_described_by_the_schema_of_its_events(document: Json, path: str, method: str) -> None:
    content = document["paths"][path][method]["responses"]["200"]["content"]["text/event-stream"]

    assert set(content) == {"itemSchema"}
    names = {branch["properties"].get("event", {}).get("const") for branch in content["itemSchema"]["anyOf"]}
    assert names == {
        None,
        "start",
        "reasoning",
        "tool_call",
        "tool_result",
        "citation",
        "guardrail",
        "progress",
        "status",
        "reconnect",
    }


@pytest.mark.parametrize(("path", "method"), STREAMING)
async def test_a_call_that_can_be_come_back_to_says_how(document: Json, path: str, method: str) -> None:
    operation = document["paths"][path][method]

    assert "Last-Event-ID" in [parameter["name"] for parameter in operation["parameters"]]
    assert "204" in operation["responses"]


async def test_every_reference_leads_somewhere(document: Json) -> None:
    references = {found["$ref"] for found in walk(document) if "$ref" in found}

    assert references
    for reference in references:
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert isinstance(found, dict)


async def test_every_schema_is_one(document: Json) -> None:
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description") or not name.endswith("Shape"), name
    for found in walk(document["paths"]):
        for key in ("schema", "itemSchema", "contentSchema"):
            if key in found:
                Draft202012Validator.check_schema(found[key])


async def test_every_call_has_a_summary_and_a_name_of_its_own(document: Json) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]

    assert all(operation["summary"] for operation in operations)
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)


async def test_every_error_of_the_native_calls_is_problem_json(document: Json) -> None:
    for path, calls in document["paths"].items():
        if path.startswith("/v1/"):
            continue  # in the shapes of others
        for operation in calls.values():
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")) and path not in {"/readyz", "/metrics"}:
                    assert list(response["content"]) == ["application/problem+json"], (path, status)


@pytest.mark.parametrize("status", ["400", "403", "404", "410", "413", "415", "422", "429", "500", "502", "503", "504"])
@pytest.mark.parametrize(("path", "method"), STREAMING[:3])
async def test_every_status_that_a_generation_may_end_in_is_listed(
    document: Json, path: str, method: str, status: str
) -> None:
    assert status in document["paths"][path][method]["responses"]


async def test_it_names_no_address_of_anybody_else(document: Json) -> None:
    assert re.findall(r"https?://(?!127\.0\.0\.1|localhost)[^\s\"]+", json.dumps(document)) == []
