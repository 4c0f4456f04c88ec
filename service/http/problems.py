"""Errors as HTTP answers: `application/problem+json` (RFC 9457), or what a surface's own clients read.

Nothing here repeats a value that the caller sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import pairwise
from math import ceil
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from service.dialects.native.events import refusal_event
from service.dialects.table import dialect_of
from service.errors import CODES, FieldError, InvalidRequest, RateLimited, ServiceError
from service.http.headers import EVENT_STREAM_HEADERS, wants_events
from service.streams.record import NOWHERE

_BY_STATUS = {
    400: "validation",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_MOST_TOLD = 100  # mistakes: who has made more has made one many times
_NAME_LENGTH = 500  # of a field, which may be of the caller's own making

_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def answer(request: Request, error: ServiceError) -> Response:
    """Tell an error: as an event to an EventSource, which cannot read an HTTP error, else as problem+json."""
    if request.method == "GET" and request.url.path == "/api/generate" and wants_events(request):
        headers = {**EVENT_STREAM_HEADERS, "X-Stream-Id": NOWHERE}
        request.scope["artesian.refused"] = error.code.name
        return Response(refusal_event(error, NOWHERE), media_type="text/event-stream", headers=headers)
    return problem(request, error)


def problem(request: Request, error: ServiceError) -> Response:
    """Encode an error in the form of the request's dialect; natively as problem+json."""
    request_id = request.scope.get("artesian.request_id")
    request.scope["artesian.refused"] = error.code.name
    if encode := dialect_of(request.url.path, request.headers).error:
        status, content, headers = encode(error, request_id=request_id)
        return Response(msgspec.json.encode(content), status, headers, media_type="application/json")
    body: dict[str, Any] = {
        "type": f"urn:artesian:error:{error.code.name}",
        "title": error.code.sentence.rstrip("."),
        "status": error.status,
        "detail": error.message,
        "error": error.message,
        "code": error.code.name,
        "retryable": error.retryable,
        "request_id": request_id,
    }
    if isinstance(error, RateLimited):
        body["violated-policies"] = [error.limit]  # as draft-ietf-httpapi-ratelimit-headers-11 names it
    if isinstance(error, InvalidRequest) and error.fields:
        body["errors"] = [field._asdict() for field in error.fields]
    return Response(
        msgspec.json.encode(body),
        status_code=error.status,
        headers=retry_headers(error),
        media_type="application/problem+json",
    )


def retry_headers(error: ServiceError) -> dict[str, str]:
    """Say when to come back, where waiting helps: whole seconds, rounded up; a second where nobody has named a time."""
    helps = error.retryable and error.status in _BUSY
    if error.retry_after is None and not helps:
        return {}
    return {"Retry-After": str(max(1, ceil(error.retry_after or 0)))}


def from_pydantic(errors: list[dict[str, Any]], *, bad_json: bool = False) -> InvalidRequest:
    """Put a validation's mistakes in our words, without the values."""
    if bad_json:
        return InvalidRequest("The body is not JSON that can be read.", status=400)
    fields = _without_branches([_field(mistake) for mistake in errors[:_MOST_TOLD]])
    return InvalidRequest("; ".join(f"{field.field}: {field.message}" for field in fields), fields)


def _field(mistake: Mapping[str, Any]) -> FieldError:
    where, message = mistake["loc"], mistake["msg"].removeprefix("Value error, ")
    unknown = mistake["type"] == "extra_forbidden"
    path = ".".join([*_fields(where[1:-1] if unknown else where[1:]), *([str(where[-1])] if unknown else [])])
    if unknown:
        message = "is not a field of this request"
    elif mistake["type"] == "missing":
        message = "is needed"
    elif mistake["type"] == "union_tag_invalid":  # pydantic's sentence repeats what was sent
        message = f"Input should have a type of {mistake['ctx']['expected_tags']}"
    elif mistake["type"] == "value_error" and (rule := _RULE.fullmatch(message)):
        path = f"{path}.{rule['field']}" if path else rule["field"]
        message = rule["message"]
    return FieldError((path or str(where[0]) if where else "body")[:_NAME_LENGTH], message)


def _fields(where: Sequence[str | int]) -> Iterator[str]:
    """Leave out of a location what is a branch of a union and no field: pydantic names those too."""
    for before, part in pairwise(("", *where)):
        branch = isinstance(part, str) and ("[" in part or part in _BRANCHES)
        if not (branch or (isinstance(before, int) and part in _BLOCKS)):
            yield str(part)


def _without_branches(fields: list[FieldError]) -> list[FieldError]:
    """Leave out that a list is no string, where the list was understood and something in it is wrong."""
    paths = [field.field for field in fields]
    return [
        field
        for field in fields
        if field.message != _NO_STRING or not any(path.startswith(f"{field.field}.") for path in paths)
    ]


_RULE = re.compile(r"(?P<field>[a-z_]+): (?P<message>.+)", re.DOTALL)
"""What a rule over several fields says: it names the one that is wrong."""
_NO_STRING = "Input should be a valid string"
_BRANCHES = {"str", "list", "NamedTool"}
_BLOCKS = {"text", "image", "document", "tool_use", "tool_result", "reasoning", "cache_point"}


def _allowed(request: Request) -> Iterator[str]:
    """Name the methods that an address takes: where several routes share it Starlette names those of the first."""
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method


def install(app: FastAPI) -> None:
    """Tell every error of `app` in our way; bugs are the guard's to tell, around all else."""

    async def service_error(request: Request, error: ServiceError) -> Response:
        return answer(request, error)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        mistakes = list(error.errors())
        no_json = any(mistake["type"] == "json_invalid" for mistake in mistakes) or (
            mistakes[0]["loc"] == ("body",) and request.headers.get("content-length") == "0"
        )
        return answer(request, from_pydantic(mistakes, bad_json=no_json))

    async def http_error(request: Request, error: HTTPException) -> Response:
        code = _BY_STATUS.get(error.status_code, "internal" if error.status_code >= 500 else "validation")  # noqa: PLR2004
        sentence = CODES[code].sentence if error.status_code in _BY_STATUS else HTTPStatus(error.status_code).phrase
        if error.status_code == HTTPStatus.BAD_REQUEST:
            sentence = "The body is not JSON that can be read."
        response = answer(request, ServiceError(code, sentence, status=error.status_code))
        response.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(_allowed(request))
        return response

    app.add_exception_handler(ServiceError, service_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, http_error)  # type: ignore[arg-type]
