"""Tracebacks that show where an error occurred without any content of requests.

The message of a foreign exception may repeat content: `invalid literal for int() with base 10: …`, a `KeyError`'s key,
a validation's input. So a log line has every frame and every type of error, but messages only of types that are known
to be safe: our own code, and the operating system's error text.
"""

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TextIO

from service.errors import ServiceError

Raised = tuple[type[BaseException], BaseException, TracebackType | None]

_FROM = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
_DEEPEST = 10  # chained errors


def render(exc_info: Raised) -> str:
    """Format a traceback."""
    return "".join(_lines(exc_info[1])).rstrip("\n")


def write(to: TextIO, exc_info: Raised) -> None:
    """Write a traceback to a terminal's log."""
    to.write("\n" + render(exc_info))


def _lines(error: BaseException, depth: int = 0) -> Iterator[str]:
    if depth < _DEEPEST and (before := error.__cause__ or (None if error.__suppress_context__ else error.__context__)):
        yield from _lines(before, depth + 1)
        yield _FROM if error.__cause__ else _DURING
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    yield f"{name}{_message(error)}\n"
    if isinstance(error, BaseExceptionGroup) and depth < _DEEPEST:
        for number, one in enumerate(error.exceptions, 1):
            yield f"\n{number} of {len(error.exceptions)} in this group:\n"
            yield from _lines(one, depth + 1)


def _message(error: BaseException) -> str:
    """Return the error's message if it cannot contain content."""
    if isinstance(error, ServiceError):
        return f": {error.code.name}"
    return f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
