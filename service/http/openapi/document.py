"""The OpenAPI document: 3.2, with the schema of every event of a stream (`itemSchema`)."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.dialects.native import schema
from service.http.openapi.compat import LIMITS, components, waiting

Json = dict[str, Any]
Responses = dict[int | str, Json]

_SHAPES: tuple[type[BaseModel], ...] = (
    *(shape for shapes in schema.EVENTS.values() for shape in shapes),
    schema.AnswerShape,
    schema.SnapshotShape,
    schema.ProblemShape,
)
_STREAM_HEADERS = {
    "X-Stream-Id": {"schema": {"type": "string"}, "description": "To come back to the stream"},
    "X-Model-Id": {"schema": {"type": "string"}, "description": "The model that answers, where it was known by then"},
    "X-Request-Id": {"schema": {"type": "string"}},
    "X-Artesian-Backend": {"schema": {"type": "string", "enum": ["local", "aws"]}},
}
_GENERATED_HEADERS = _STREAM_HEADERS | LIMITS


def _ref(shape: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _event(name: str | None, payload: Json) -> Json:
    """Describe one event as OpenAPI 3.2 does (section 4.14.4, "Sequential Media Types")."""
    members: Json = {
        "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": payload},
        "id": {"type": "string", "pattern": "^[0-9a-f]{32}-[1-9][0-9]*$"},
    }
    if name is None:
        return {"type": "object", "properties": members, "required": ["data", "id"]}
    return {
        "type": "object",
        "properties": {"event": {"const": name}, **members, "retry": {"type": "integer"}},
        "required": ["event", "data"],
    }


def _item_schema() -> Json:
    named = [_event(name, _ref(shape)) for name, shapes in schema.EVENTS.items() for shape in shapes]
    return {"anyOf": named + [_event(name, {"type": "object"}) for name in schema.OPEN_EVENTS]}


def _json(shape: type[BaseModel]) -> Json:
    return {"application/json": {"schema": _ref(shape)}}


_EVENT_STREAM = {"text/event-stream": {"itemSchema": _item_schema()}}

ANSWER_OR_EVENTS: Responses = {
    200: {
        "description": "The answer, or its stream",
        "headers": _GENERATED_HEADERS,
        "content": {**_json(schema.AnswerShape), **_EVENT_STREAM},
    }
}
EVENTS: Responses = {
    200: {"description": "The stream", "headers": _GENERATED_HEADERS, "content": _EVENT_STREAM},
    204: {"description": "With `Last-Event-ID`: that was the last event"},
}
SNAPSHOT: Responses = {200: {"description": "The stream as it stands", "content": _json(schema.SnapshotShape)}}
SNAPSHOT_OR_EVENTS: Responses = {
    200: {
        "description": "The stream, or its state as JSON",
        "headers": _STREAM_HEADERS,
        "content": {**_EVENT_STREAM, **_json(schema.SnapshotShape)},
    },
    204: {"description": "There are no further events"},
}


def problems(*statuses: int) -> Responses:
    """Describe the errors of a call: those that any call may have, and its own."""
    content = {"application/problem+json": {"schema": _ref(schema.ProblemShape)}}
    return {
        status: {"description": _REASONS[status], **waiting(status), "content": content}
        for status in sorted({400, 401, 403, 500, *statuses})
    }


_REASONS = {
    400: "The request cannot be read, or the model refused it",
    401: "No key where the service has keys, or not a good one; or not a good ticket",
    403: "Not allowed here, or refused by AWS",
    404: "Not found",
    409: "In the way of another request",
    410: "No longer kept",
    413: "Too large",
    415: "Not application/json",
    422: "The request is wrong: `errors` names each field",
    429: "Too much, by our limits or by Bedrock's",
    500: "Our bug",
    502: "The model failed, or its stream broke",
    503: "Not available just now",
    504: "The model took too long",
}
GENERATING = problems(404, 410, 413, 415, 422, 429, 502, 503, 504)
READING = problems(404, 410, 422, 503)


_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, as OpenAI's clients send it"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "As Anthropic's do"},
    "ticket": {"type": "apiKey", "in": "query", "name": "ticket", "description": "From `POST /api/tickets`"},
}
_KEYS: list[Json] = [{"bearer": []}, {"x-api-key": []}, {}]
"""The last one: none, where the service has no keys."""
_WITH_TICKET = ("/api/generate", "/api/streams/{stream_id}")
_OPEN = ("/healthz", "/readyz")


def _secure(document: Json) -> None:
    """Say how to come in."""
    document["components"]["securitySchemes"] = _SCHEMES
    document["security"] = _KEYS
    for path in _WITH_TICKET:
        document["paths"][path]["get"]["security"] = [*_KEYS, {"ticket": []}]
    for path in _OPEN:
        document["paths"][path]["get"]["security"] = []


def install(app: FastAPI) -> None:
    """Let `app` describe itself as 3.2, with the shapes that its responses refer to."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                openapi_version="3.2.0",
                description=app.description,
                routes=app.routes,
            )
            _, shapes = models_json_schema(
                [(shape, "serialization") for shape in _SHAPES], ref_template="#/components/schemas/{model}"
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(shapes["$defs"] | components())
            _secure(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
