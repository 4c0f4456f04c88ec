"""How the surfaces made for others stand in the OpenAPI document: requests, events, answers, errors.

Routes refer to the shapes by name; the shapes themselves are only made when somebody asks for the document.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.dialects.shapes import WireShape

Json = dict[str, Any]
Responses = dict[int | str, Json]

_PLACE = "#/components/schemas/"


def ref(name: str) -> Json:
    """Refer to a shape."""
    return {"$ref": f"{_PLACE}{name}"}


def _json(name: str) -> Json:
    return {"application/json": {"schema": ref(name)}}


def body(name: str) -> Json:
    """Describe a request's body: what is read of it."""
    return {"requestBody": {"required": True, "content": _json(name)}}


_HEADERS = {
    "X-Stream-Id": {"schema": {"type": "string"}, "description": "The stream behind the answer"},
    "X-Model-Id": {"schema": {"type": "string"}, "description": "The model that answers, where it was known by then"},
    "X-Request-Id": {"schema": {"type": "string"}},
    "X-Artesian-Backend": {"schema": {"type": "string", "enum": ["local", "aws"]}},
}


LIMITS: Json = {
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": "The key's limits, where it has any"},
    "RateLimit": {"schema": {"type": "string"}, "description": "What is left of them, and until when"},
}
_WAIT: Json = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds, where waiting helps"}}


def waiting(status: int) -> Json:
    """Describe the headers of a refusal that may pass."""
    match status:
        case 429:
            return {"headers": _WAIT | LIMITS}
        case 503 | 529:
            return {"headers": _WAIT}
    return {}


def _answers(description: str, shape: str, events: str | None = None, headers: Json | None = None) -> Responses:
    content = _json(shape)
    if events:
        content["text/event-stream"] = {"itemSchema": ref(events)}
    return {200: {"description": description, "headers": _HEADERS | (headers or {}), "content": content}}


_REASONS = {
    400: "The request is wrong",
    401: "No key where the service has keys, or not a good one",
    403: "Not allowed here, or refused by AWS",
    404: "Not found, or no longer kept",
    413: "Too large",
    415: "Not application/json",
    422: "The `Idempotency-Key` came with another body before",
    429: "Too much, by our limits or by Bedrock's",
    500: "Our bug",
    502: "The model failed, or its stream broke",
    503: "Not available just now",
    504: "The model took too long",
    529: "Not available just now",
}
_OF_A_LOOK = (400, 401, 403, 404, 500, 503)
_OF_A_GENERATION = (400, 401, 403, 404, 413, 415, 422, 429, 500, 502, 503, 504)
_NOTHING_MORE: Responses = {204: {"description": "With `Last-Event-ID`: that was the last event"}}


def _errors(shape: str, statuses: Iterable[int]) -> Responses:
    told: Responses = {
        status: {"description": _REASONS[status], **waiting(status), "content": _json(shape)} for status in statuses
    }
    return told | {"default": {"description": "Another failure", "content": _json(shape)}}


CHAT = (
    _answers("The answer, or its stream", "ChatCompletion", "ChatEvent", LIMITS)
    | _NOTHING_MORE
    | _errors("OpenAIError", _OF_A_GENERATION)
)
RESPONSE = (
    _answers("The response, or its stream", "ResponseObject", "ResponseEvent", LIMITS)
    | _NOTHING_MORE
    | _errors("OpenAIError", _OF_A_GENERATION)
)
RESPONSE_READ = _answers("The response, or its stream", "ResponseObject", "ResponseEvent") | _errors(
    "OpenAIError", _OF_A_LOOK
)
RESPONSE_CANCELLED = _answers("The response", "ResponseObject") | _errors("OpenAIError", _OF_A_LOOK)
RESPONSE_DELETED = _answers("It is deleted", "ResponseDeleted") | _errors("OpenAIError", _OF_A_LOOK)
RESPONSE_INPUT = _answers("A page of items", "ResponseInputItems") | _errors("OpenAIError", _OF_A_LOOK)
_OF_MESSAGES = [status for status in _OF_A_GENERATION if status != 503] + [529]  # noqa: PLR2004 - Anthropic's number for 503
MESSAGE = (
    _answers("The message, or its stream", "MessageObject", "MessageEvent", LIMITS)
    | _NOTHING_MORE
    | _errors("AnthropicError", _OF_MESSAGES)
)
COUNT = _answers("The count", "MessageTokensCount") | _errors("AnthropicError", _OF_MESSAGES)
MODELS = _answers("The models", "ModelCards") | _errors("OpenAIError", _OF_A_LOOK)
MODEL = _answers("The model", "ModelCard") | _errors("OpenAIError", _OF_A_LOOK)


def components() -> Json:
    """Make the shapes that these refer to."""
    from pydantic.json_schema import models_json_schema

    from service.dialects import models_schema
    from service.dialects.anthropic_messages import schema as messages
    from service.dialects.openai_chat import schema as chat
    from service.dialects.openai_responses import schema as responses

    shapes: list[type[WireShape]] = [
        chat.ChatCompletion,
        *chat.EVENTS,
        responses.ResponseObject,
        responses.ResponseDeleted,
        responses.ResponseInputItems,
        *responses.EVENTS,
        messages.MessageObject,
        messages.MessageTokensCount,
        *(shape for _, shape in messages.EVENTS),
        models_schema.ModelCards,
    ]
    _, made = models_json_schema([(shape, "serialization") for shape in shapes], ref_template=_PLACE + "{model}")
    described: Json = made["$defs"]
    done = {"type": "string", "const": "[DONE]"}
    described["ChatEvent"] = _event(None, [_data(*(shape.__name__ for shape in chat.EVENTS)), done])
    described["ResponseEvent"] = _event(None, [_data(*(shape.__name__ for shape in responses.EVENTS))])
    described["MessageEvent"] = {
        "anyOf": [_event(name, [_data(shape.__name__)]) for name, shape in messages.EVENTS],
    }
    return described | _bodies()


def _data(*shapes: str) -> Json:
    any_of = {"anyOf": [ref(shape) for shape in shapes]} if len(shapes) > 1 else ref(shapes[0])
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": any_of}


def _event(name: str | None, data: list[Json]) -> Json:
    """Describe one event as OpenAPI 3.2 does (section 4.14.4, "Sequential Media Types")."""
    properties: Json = {"data": data[0] if len(data) == 1 else {"anyOf": data}}
    if name is None:
        return {"type": "object", "properties": {"event": {"type": "string"}} | properties, "required": ["data"]}
    named = {"event": {"const": name}, "id": {"type": "string", "pattern": "^[0-9a-f]{32}-[1-9][0-9]*$"}}
    return {"type": "object", "properties": named | properties, "required": ["event", "data"]}


def _bodies() -> Json:
    """Describe what is read of each request, from what reads it."""
    import msgspec

    from service.dialects.anthropic_messages.request import Body as MessagesBody
    from service.dialects.openai_chat.request import Body as ChatBody
    from service.dialects.openai_responses.request import Body as ResponsesBody

    described: Json = {}
    for surface, shape in (("Chat", ChatBody), ("Responses", ResponsesBody), ("Messages", MessagesBody)):
        _, made = msgspec.json.schema_components([shape], ref_template=f"{_PLACE}{surface}Request{{name}}")
        described |= {f"{surface}Request{name}": member for name, member in made.items()}
    return described
