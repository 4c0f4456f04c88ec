"""What every dialect is to the rest of the service."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct, structs

from service.answer import fallback_of
from service.deltas import Event


class Heading(Struct, frozen=True):
    """What a reader's encoder may know of the stream beside its events. `created` is in Unix seconds."""

    stream_id: str
    model_id: str
    created: float

    def after(self, events: Iterable[Event]) -> "Heading":
        """Name the model that answers, where these first events tell that it is not the one that was asked for."""
        model_id = fallback_of(events)
        return structs.replace(self, model_id=model_id) if model_id else self


class Encoder(Protocol):
    """Turns one stream's events into the bytes of one reader's connection.

    It is fed the log in order from the first event on: a reader that resumes folds what it has already seen and throws
    the bytes away, so that open blocks and counters are right.
    """

    media_type: str
    heartbeat: bytes
    """Sent after a silence; harmless between any two events."""

    def encode(self, first: int, events: Sequence[Event]) -> bytes:
        """Encode a batch; `first` is the number of `events[0]`. May be empty where the dialect has nothing to say."""

    def reconnect(self) -> bytes:
        """Say that the server closes while the generation goes on. Empty where the dialect has no word for it."""
