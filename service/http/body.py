"""Reads the bodies of requests: the one place where JSON of a client is parsed.

A body of more than 1 MB is parsed in a thread, one at a time; the parsers hold CPython's lock, so two would not be
faster, but would hold twice the memory.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from service.dialects import structure
from service.errors import InvalidRequest
from service.http.client_disconnect import ClientGone
from service.http.dependencies import Handler

T = TypeVar("T")

INLINE = structure.LIGHT  # bytes; parsing as many takes some milliseconds
_LENIENT_BYTES, _STRICT_BYTES = 500, 800
"""What a text block of one character takes at its peak: as a dict and a struct; as a dict and a model of pydantic's,
each with our own value (tracemalloc, CPython 3.11, msgspec 0.22, pydantic 2.14, 2026-12-01)."""
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="body")


async def read(request: Request, build: Callable[[Any], T]) -> tuple[T, int]:
    """Parse a body leniently and build something of it; the second value is the body's size in bytes.

    Raises:
        InvalidRequest: it is no JSON (400), or holds too much (422); and what `build` raises.
    """
    pieces = await _pieces(request)
    size = sum(map(len, pieces))
    return await run(size, lambda: _built(pieces, build, msgspec.json.decode, _LENIENT_BYTES)), size


async def run(size: int, work: Callable[[], T]) -> T:
    """Do work whose cost grows with a size in bytes: at once, or in the thread of the large bodies."""
    if size <= INLINE:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work)


async def read_as(request: Request, shape: TypeAdapter[T]) -> T | None:
    """Parse a body and validate it; None where there is no body, or it is null.

    Raises:
        InvalidRequest: it is no JSON (400), or holds too much (422).
        RequestValidationError: it does not have the shape.
    """
    pieces = await _pieces(request)
    if not any(pieces):
        return None
    size = sum(map(len, pieces))
    # The one names the field with half a surrogate pair; the other is faster and needs no copy of the text.
    decode = _decoded if size <= INLINE else msgspec.json.decode
    return await run(size, lambda: _built(pieces, lambda given: _validated(given, shape), decode, _STRICT_BYTES))


async def _pieces(request: Request) -> list[bytes]:
    try:
        return [piece async for piece in request.stream()]
    except ClientDisconnect:
        raise ClientGone from None


def _built(pieces: list[bytes], build: Callable[[Any], T], decode: Callable[[bytes], Any], object_bytes: int) -> T:
    """Check, decode and build, with no more than one copy of the body at a time."""
    text = b"".join(pieces)
    pieces.clear()
    structure.check(text, object_bytes)
    try:
        given = [decode(text)]
    except (ValueError, RecursionError):  # the second, of what is nested without end
        raise InvalidRequest("The body is not JSON that can be read.", status=400) from None
    del text
    return build(given.pop())


def _decoded(text: bytes) -> Any:
    return json.loads(text.decode("utf-8-sig"))


def _validated(given: Any, shape: TypeAdapter[T]) -> T | None:
    if given is None:
        return None
    try:
        return shape.validate_python(given)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
    raise RequestValidationError([{**mistake, "loc": ("body", *mistake["loc"])} for mistake in mistakes])


class BodyRoute(APIRoute):
    """A route whose body is read here; FastAPI is given the validated value."""

    def get_route_handler(self) -> Handler:
        """Read the body before FastAPI would."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler
        shape: TypeAdapter[Any] = TypeAdapter(self.body_field.field_info.annotation or Any)

        async def handle(request: Request) -> Response:
            given = await read_as(request, shape)
            return await handler(_Read(request, given))

        return handle


class _Read(Request):
    """A request whose body has been read."""

    def __init__(self, request: Request, given: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._given = given

    async def body(self) -> bytes:
        """Tell FastAPI whether there is a body."""
        return b"" if self._given is None else b"{}"

    async def json(self) -> Any:
        """Return the validated body."""
        return self._given
