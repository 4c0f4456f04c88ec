"""The grammar of `X-Artesian-Fault`: what shall go wrong with which call, and when (docs/local.md).

script = step *("," step) *(";" parameter)      step n is for the n-th upstream call that belongs together
step   = fault *("+" fault) ["*" [times]]       without a number: for ever
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
"""Faults that only change the `http` or `exception` beside them."""

_VALUES = {
    "http": "code", "exception": "text", "error-frame": "optional", "slow": "seconds", "slow-first": "seconds",
    "pause": "seconds", "rate": "rate", "retry-after": "text", "message": "text", "status": "number",
    "stop-reason": "text", "anthropic-error": "optional",
}  # fmt: skip
"""What may stand behind the `=`; faults without an entry take nothing."""

_DEFAULTS: dict[str, Position] = {
    "cut": 0, "drop": 0, "reset": 0, "cut-frame": 0, "crc": 0, "crc-prelude": 0, "garbage-json": 0, "stall": 0,
    "pause": 0, "exception": 0, "error-frame": 0, "unknown-event": "open", "unknown-delta": "open",
    "anthropic-error": 0, "gate": "headers", "slow": "headers", "slow-first": "open",
}  # fmt: skip
"""Where a fault stands when it names no position. Faults without an entry have none: they are for the whole call."""

_EARLY = {"gate", "slow", "slow-first", "pause", "stall", "cut", "drop", "reset"}
"""What can also happen before the status line."""

_WHOLE = {"html", "json", "empty", "no-stop", "no-metadata", "drip", "split", "rate", "http", "ok", "eol", "step",
          "stop-reason", *_MODIFIERS}  # fmt: skip
_ALIASES = {"throttle": "http=ThrottlingException", "timeout": "http=ModelTimeoutException"}
_LONGEST = 86_400.0  # seconds
_MOST = 1_000_000  # deltas, and times


class Fault(Struct, frozen=True):
    """One thing to go wrong."""

    name: str
    value: str = ""
    at: Position = 0

    @property
    def seconds(self) -> float:
        """The value of a fault that waits."""
        return float(self.value)


class Step(Struct, frozen=True):
    """What goes wrong with one call."""

    faults: tuple[Fault, ...] = ()

    def get(self, name: str) -> Fault | None:
        """Return the fault of that name, where there is one."""
        return next((fault for fault in self.faults if fault.name == name), None)

    def value(self, name: str, default: str = "") -> str:
        """Return the value of a fault, where there is one."""
        fault = self.get(name)
        return fault.value if fault else default


HEALTHY = Step()


class FaultScript(Struct, frozen=True):
    """The steps of calls that belong together: each with the number of calls it is for."""

    steps: tuple[tuple[Step, float], ...]
    key: str = ""

    def step(self, number: int) -> Step:
        """Return what call `number`, counted from 0, gets. After the script's end all is well."""
        for step, times in self.steps:
            if number < times:
                return step
            number -= int(times)
        return HEALTHY


def parse(header: str) -> FaultScript:
    """Read the header's value.

    Raises:
        Refused: it is malformed; the message says where.
    """
    script, *parameters = header.split(";")
    key = ""
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "key":
            key = value
        elif name != "counted":  # for the service: the breaker and the learned limits shall see this request
            raise _mistake(f"the parameter {name!r} is not known; there are key and counted")
    return FaultScript(tuple(_step(text.strip()) for text in script.split(",")), key)


def _step(text: str) -> tuple[Step, float]:
    body, star, times = text.rpartition("*")
    if not star:
        body, times = text, "1"
    if times and not (times.isdecimal() and 0 < int(times) <= _MOST):
        raise _mistake(f"{times!r} in {text!r} is no number of calls")
    faults = tuple(_fault(part.strip()) for part in body.split("+"))
    return Step(tuple(fault for fault in faults if fault.name != "ok")), float(times) if times else math.inf


def _fault(text: str) -> Fault:
    named, _, position = text.partition("@")
    name, equals, value = _ALIASES.get(named, named).partition("=")
    value = unquote(value)
    if name not in _DEFAULTS and name not in _WHOLE:
        raise _mistake(f"there is no fault {name!r}; there are {', '.join(sorted({*_DEFAULTS, *_WHOLE, *_ALIASES}))}")
    _check_value(name, value, given=bool(equals))
    if position and name not in _DEFAULTS:
        raise _mistake(f"{name} takes no position, since it is for the whole call")
    return Fault(name, value, _position(name, position))


def _position(name: str, text: str) -> Position:
    if not text:
        return _DEFAULTS.get(name, 0)
    if text == "headers" and name not in _EARLY:
        raise _mistake(f"{name} cannot come before the headers")
    if text in _POSITIONS:
        return text  # type: ignore[return-value]  # mypy does not narrow by a tuple of literals
    if text.isdecimal() and int(text) <= _MOST:
        return int(text)
    raise _mistake(f"{text!r} is no position for {name}: a number of deltas, headers, open or last")


def _check_value(name: str, value: str, *, given: bool) -> None:
    kind = _VALUES.get(name)
    if kind is None:
        if given:
            raise _mistake(f"{name} takes no value")
    elif not value:
        if kind != "optional":
            raise _mistake(f"{name} needs a value, as in {name}={_EXAMPLES[kind]}")
    elif kind in {"seconds", "rate"}:
        _check_number(name, value)
    elif kind == "number" and not (value.isdecimal() and 100 <= int(value) <= 599):  # noqa: PLR2004 HTTP's statuses
        raise _mistake(f"{value!r} is no HTTP status")
    elif kind == "code" and not _is_code(value):
        raise _mistake(f"{value!r} is neither an HTTP status nor one of {', '.join(MESSAGES)}")


_EXAMPLES = {"code": "503", "text": "throttlingException", "seconds": "2.5", "rate": "80", "number": "503"}


def _is_code(value: str) -> bool:
    return value in STATUS or (value.isdecimal() and 400 <= int(value) <= 599)  # noqa: PLR2004 HTTP's errors


def _check_number(name: str, value: str) -> None:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _LONGEST and not (name == "rate" and number == math.inf):
        raise _mistake(f"{value!r} is no number for {name}")


def _mistake(what: str) -> LocalRefusal:
    return LocalRefusal(f"The header X-Artesian-Fault cannot be read: {what}.")
