"""Who listens to the engine: those that count, trace and log what it does, and that it neither knows nor waits for.

Each call is cheap, comes at most once a batch, and says nothing of what was asked or answered. A listener never fails
and never blocks. `NullListener` listens to nothing: the engine always has somebody to tell.
"""

import asyncio
from typing import Literal, Protocol

from service.deltas import Done, Failed, Metrics, Usage
from service.errors import UpstreamError
from service.generation import Request
from service.streams.journal import JournalListener

CallReason = Literal["retry", "continuation", "restart", "fallback", "hedge"]
"""Why a further call is made: nothing was shown yet; the answer goes on, or begins again; another model; a second try
beside the first."""


class CallListener(Protocol):
    """Listens to one call upstream."""

    def answered(self, request_id: str | None) -> None:
        """Bedrock has accepted the call: AWS's name for it."""

    def ended(self, outcome: str, request_id: str | None = None) -> None:
        """It is over: `ok`, `cancelled`, or the code it failed with."""


class GenerationListener(Protocol):
    """Listens to one generation in this process, from its begin to its end or its move to another process."""

    def queued(self, place: int) -> None:
        """It waits for a place."""

    def admitted(self) -> None:
        """It has a place."""

    def call(self, model_id: str, base_id: str, operation: str) -> CallListener:
        """Begin a call upstream. `base_id` is the catalogue's id of the model behind `model_id`, as far as known."""

    def shown(self, now: float) -> None:
        """Give the readers a batch of the answer, at the loop's time `now`: at every batch, so it must cost nothing."""

    def called_again(self, turn: CallReason, code: str, delay_s: float = 0.0) -> None:
        """Make a further call, because of a failure with `code`, in `delay_s` seconds."""

    def detached(self) -> None:
        """Go on though nobody reads it any more."""

    def ended(self, end: Done | Failed, usage: Usage, metrics: Metrics, events: int) -> None:
        """End, for good. `usage` and `metrics` are there for failures as well; `events` counts the whole stream's."""

    def moved(self) -> None:
        """Stop here without an end: another process goes on with it."""


class ReaderListener(Protocol):
    """Listens to one reader of a stream."""

    def sent(self, seconds: float) -> None:
        """Send a batch that came from Bedrock `seconds` ago, to a reader that had been waiting for it."""

    def close(self) -> None:
        """Note that the reader has left, at the end of the stream or before."""


class Listener(JournalListener, Protocol):
    """Listens to everything that one process does."""

    def generation(
        self, stream_id: str, caller: str, surface: str, request: Request, base_id: str, *, taken_over: bool
    ) -> GenerationListener:
        """Begin a generation, or go on with another process's. Told in the context of the request that asked for it."""

    def reader(self, surface: str, *, resumed: bool) -> ReaderListener:
        """Attach a reader; `resumed`: it has seen some of the stream before."""


def outcome_of(error: BaseException) -> tuple[str, str | None]:
    """Return the outcome and the request id that `CallListener.ended` takes, of a call that failed."""
    if isinstance(error, UpstreamError):
        return error.code.name, error.request_id
    return ("cancelled" if isinstance(error, asyncio.CancelledError) else "internal"), None


class NullListener:
    """Listens to nothing, at every level."""

    def generation(self, *_: object, **__: object) -> GenerationListener:
        """Let a generation be."""
        return _SILENT_GENERATION

    def reader(self, *_: object, **__: object) -> ReaderListener:
        """Let a reader be."""
        return _SILENT_READER

    def committed(self, seconds: float) -> None:
        """Hear of a commit."""

    def evicted(self) -> None:
        """Hear of a stream that memory had no room for."""


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
