"""The grammar of `X-Artesian-Fault`, which injects faults into calls (docs/local.md).

script = step *("," step) *(";" parameter)      step n applies to the n-th call with the same key
step   = fault *("+" fault) ["*" [times]]       without a number: without limit
fault  = name ["=" value] ["@" position]        a value may be percent-encoded
"""

import math
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct

from service.local.refusal import MESSAGES, STATUS, LocalRefusal

Position = int | Literal["headers", "open", "last"]
_POSITIONS = ("headers", "open", "last")

_MODIFIERS = {"retry-after", "message", "status"}
"""Faults that only modify an `http` or `exception` of the same step."""

_VALUES = {
    "http": "code", "exception": "text", "error-frame": "optional", "slow": "seconds", "slow-first": "seconds",
    "pause": "seconds", "rate": "rate", "retry-after": "text", "message": "text", "status": "number",
    "stop-reason": "text", "anthropic-error": "optional",
}  # fmt: skip
"""The kind of value behind the `=`; faults without an entry have no value."""

_DEFAULTS: dict[str, Position] = {
    "cut": 0, "drop": 0, "reset": 0, "cut-frame": 0, "crc": 0, "crc-prelude": 0, "garbage-json": 0, "stall": 0,
    "pause": 0, "exception": 0, "error-frame": 0, "unknown-event": "open", "unknown-delta": "open",
    "anthropic-error": 0, "gate": "headers", "slow": "headers", "slow-first": "open",
}  # fmt: skip
"""The default position of a fault. Faults without an entry have no position: they apply to the whole call."""

_EARLY = {"gate", "slow", "slow-first", "pause", "stall", "cut", "drop", "reset"}
"""Faults that are possible before the status line."""

_WHOLE = {"html", "json", "empty", "no-stop", "no-metadata", "drip", "split", "rate", "http", "ok", "eol", "step",
          "stop-reason", *_MODIFIERS}  # fmt: skip
_ALIASES = {"throttle": "http=ThrottlingException", "timeout": "http=ModelTimeoutException"}
_MAX_SECONDS = 86_400.0
_MAX_COUNT = 1_000_000  # deltas, and times


class Fault(Struct, frozen=True):
    """One fault of a step."""

    name: str
    value: str = ""
    at: Position = 0

    @property
    def seconds(self) -> float:
        """The value of a fault that delays the answer."""
        return float(self.value)


class FaultStep(Struct, frozen=True):
    """The faults of one call."""

    faults: tuple[Fault, ...] = ()

    def get(self, name: str) -> Fault | None:
        """Return the fault of that name, or None."""
        return next((fault for fault in self.faults if fault.name == name), None)

    def value(self, name: str, default: str = "") -> str:
        """Return the value of the fault of that name, or the default."""
        fault = self.get(name)
        return fault.value if fault else default


NO_FAULTS = FaultStep()


class FaultScript(Struct, frozen=True):
    """The steps for calls with the same key, each with the number of calls that it applies to."""

    steps: tuple[tuple[FaultStep, float], ...]
    key: str = ""

    def step(self, number: int) -> FaultStep:
        """Return the step of call `number`, counted from 0. After the script's end there are no faults."""
        for step, times in self.steps:
            if number < times:
                return step
            number -= int(times)
        return NO_FAULTS


def parse_script(header: str) -> FaultScript:
    """Parse the header's value.

    Raises:
        LocalRefusal: the value is malformed; the message says where.
    """
    script, *parameters = header.split(";")
    key = ""
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "key":
            key = value
        elif name != "counted":  # read by the service: this request counts for the breaker and the learned limits
            raise _error(f"unknown parameter {name!r}; the parameters are key and counted")
    return FaultScript(tuple(_step(text.strip()) for text in script.split(",")), key)


def _step(text: str) -> tuple[FaultStep, float]:
    body, star, times = text.rpartition("*")
    if not star:
        body, times = text, "1"
    if times and not (times.isdecimal() and 0 < int(times) <= _MAX_COUNT):
        raise _error(f"{times!r} in {text!r} is not a number of calls")
    faults = tuple(_fault(part.strip()) for part in body.split("+"))
    return FaultStep(tuple(fault for fault in faults if fault.name != "ok")), float(times) if times else math.inf


def _fault(text: str) -> Fault:
    before, _, position = text.partition("@")
    name, equals, value = _ALIASES.get(before, before).partition("=")
    value = unquote(value)
    if name not in _DEFAULTS and name not in _WHOLE:
        raise _error(f"unknown fault {name!r}; the faults are {', '.join(sorted({*_DEFAULTS, *_WHOLE, *_ALIASES}))}")
    _check_value(name, value, has_value=bool(equals))
    if position and name not in _DEFAULTS:
        raise _error(f"{name} has no position, because it applies to the whole call")
    return Fault(name, value, _position(name, position))


def _position(name: str, text: str) -> Position:
    if not text:
        return _DEFAULTS.get(name, 0)
    if text == "headers" and name not in _EARLY:
        raise _error(f"{name} is not possible before the headers")
    if text in _POSITIONS:
        return text  # type: ignore[return-value]  # mypy does not narrow by a tuple of literals
    if text.isdecimal() and int(text) <= _MAX_COUNT:
        return int(text)
    raise _error(f"{text!r} is not a position for {name}; use a number of deltas, headers, open or last")


def _check_value(name: str, value: str, *, has_value: bool) -> None:
    kind = _VALUES.get(name)
    if kind is None:
        if has_value:
            raise _error(f"{name} has no value")
    elif not value:
        if kind != "optional":
            raise _error(f"{name} needs a value, for example {name}={_EXAMPLES[kind]}")
    elif kind in {"seconds", "rate"}:
        _check_number(name, value)
    elif kind == "number" and not (value.isdecimal() and 100 <= int(value) <= 599):  # noqa: PLR2004 HTTP's statuses
        raise _error(f"{value!r} is not an HTTP status")
    elif kind == "code" and value not in STATUS and not (value.isdecimal() and 400 <= int(value) <= 599):  # noqa: PLR2004
        raise _error(f"{value!r} is neither an HTTP status nor one of {', '.join(MESSAGES)}")


_EXAMPLES = {"code": "503", "text": "throttlingException", "seconds": "2.5", "rate": "80", "number": "503"}


def _check_number(name: str, value: str) -> None:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _MAX_SECONDS and not (name == "rate" and number == math.inf):
        raise _error(f"{value!r} is not a number for {name}")


def _error(what: str) -> LocalRefusal:
    return LocalRefusal(f"The header X-Artesian-Fault cannot be read: {what}.")
