"""Listeners of the engine: interfaces for metrics, traces and logs.

Each method is cheap, is called at most once per batch, and receives no text of prompts or answers. A listener never
raises and never blocks. `NullListener` ignores all calls.
"""

import asyncio
from typing import Literal, Protocol

from service.deltas import Done, Failed, Metrics, Usage
from service.errors import UpstreamError
from service.generation import Request
from service.streams.journal import JournalListener

CallReason = Literal["retry", "continuation", "restart", "fallback", "hedge"]
"""Why another call is made: before any content; to continue the answer, or restart it; another model; a second call
beside the first."""


class CallListener(Protocol):
    """Listens to one call upstream."""

    def answered(self, request_id: str | None) -> None:
        """Note that Bedrock has accepted the call; `request_id` is AWS's."""

    def ended(self, outcome: str, request_id: str | None = None) -> None:
        """Note the outcome: `ok`, `cancelled`, or the code of the error."""


class GenerationListener(Protocol):
    """Listens to one generation in this process, from its start to its end or its move to another process."""

    def queued(self, place: int) -> None:
        """Note that it waits for a slot."""

    def admitted(self) -> None:
        """Note that it has a slot."""

    def call(self, model_id: str, base_id: str, operation: str) -> CallListener:
        """Begin a call upstream. `base_id` is the catalogue's id of the model behind `model_id`, as far as known."""

    def shown(self, now: float) -> None:
        """Note a batch of the answer, at the loop's time `now`. Called for every batch: it must cost nothing."""

    def called_again(self, turn: CallReason, code: str, delay_s: float = 0.0) -> None:
        """Note that another call follows a failure with `code` in `delay_s` seconds."""

    def detached(self) -> None:
        """Note that it has no readers left."""

    def ended(self, end: Done | Failed, usage: Usage, metrics: Metrics, events: int) -> None:
        """Note the end. `usage` and `metrics` are there for failures as well; `events` counts the whole stream's."""

    def moved(self) -> None:
        """Note that another process continues the generation."""


class ReaderListener(Protocol):
    """Listens to one reader of a stream."""

    def sent(self, seconds: float) -> None:
        """Note that a waiting reader was sent a batch `seconds` after it was received from Bedrock."""

    def close(self) -> None:
        """Note that the reader has left, at the end of the stream or before."""


class Listener(JournalListener, Protocol):
    """Listens to one process."""

    def generation(
        self, stream_id: str, caller: str, surface: str, request: Request, base_id: str, *, taken_over: bool
    ) -> GenerationListener:
        """Note the start or takeover of a generation. Called in the context of its request."""

    def reader(self, surface: str, *, resumed: bool) -> ReaderListener:
        """Note a new reader; `resumed`: it has received a part of the stream before."""


def outcome_of(error: BaseException) -> tuple[str, str | None]:
    """Return the outcome and the request id that `CallListener.ended` takes, of a call that failed."""
    if isinstance(error, UpstreamError):
        return error.code.name, error.request_id
    return ("cancelled" if isinstance(error, asyncio.CancelledError) else "internal"), None


class NullListener:
    """Ignores all calls."""

    def generation(self, *_: object, **__: object) -> GenerationListener:
        """Ignore a generation."""
        return _SILENT_GENERATION

    def reader(self, *_: object, **__: object) -> ReaderListener:
        """Ignore a reader."""
        return _SILENT_READER

    def committed(self, seconds: float) -> None:
        """Ignore a commit."""

    def evicted(self) -> None:
        """Ignore an eviction."""


class _SilentGeneration:
    def queued(self, place: int) -> None: ...

    def admitted(self) -> None: ...

    def call(self, *_: str) -> CallListener:
        return _SILENT_CALL

    def shown(self, now: float) -> None: ...

    def called_again(self, turn: CallReason, code: str, delay_s: float = 0.0) -> None: ...

    def detached(self) -> None: ...

    def ended(self, end: Done | Failed, usage: Usage, metrics: Metrics, events: int) -> None: ...

    def moved(self) -> None: ...


class _SilentCall:
    def answered(self, request_id: str | None) -> None: ...

    def ended(self, outcome: str, request_id: str | None = None) -> None: ...


class _SilentReader:
    def sent(self, seconds: float) -> None: ...

    def close(self) -> None: ...


_SILENT_GENERATION = _SilentGeneration()
_SILENT_CALL = _SilentCall()
_SILENT_READER = _SilentReader()
