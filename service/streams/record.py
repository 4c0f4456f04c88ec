"""What a journal keeps of a stream beside its events."""

import re
import secrets
from typing import Any, Literal, Self

from msgspec import Struct, structs

from service.errors import InvalidRequest
from service.generation import Policies, Request

State = Literal["queued", "starting", "streaming", "continuing", "done", "failed", "cancelled"]

ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

NOWHERE = b"a stream nowhere".hex()
"""The id of a refusal that has no stream: EventSource comes back with it, and is told that there is nothing more.

It is none that somebody would make up to see what an unknown stream is: that one is gone.
"""

_STREAM_ID = re.compile(r"[0-9a-f]{32}")
_EVENT_ID = re.compile(r"([0-9a-f]{32})-(0|[1-9][0-9]{0,17})")


class Record(Struct, frozen=True):
    """A stream as it was begun. `created` is in Unix seconds; `options` are the dialect's own.

    `fallbacks` are the models that its key may use instead of the one that was asked for; `tokens_per_minute` is the
    key's limit, for a process that takes the stream over. `archived`: the answer has to be stored in the database, and
    the journal keeps it until then; `input` is what is stored with it.
    """

    stream_id: str
    caller: str
    created: float
    dialect: str
    request: Request
    policies: Policies
    options: dict[str, Any] = {}
    dropped: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    tokens_per_minute: int | None = None
    archived: bool = False
    input: bytes = b""

    def without_request(self) -> Self:
        """Keep the model's id of the request and nothing else."""
        return structs.replace(self, request=Request(self.request.model_id, ()))

    def with_request(self, request: Request) -> Self:
        """Put a request that is stored elsewhere back in its place."""
        return structs.replace(self, request=request)


def new_stream_id() -> str:
    """Make an id that nobody can guess: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def parse_stream_id(text: str) -> str:
    """Check a stream's id.

    Raises:
        InvalidRequest: 400, it is not one of ours.
    """
    if not _STREAM_ID.fullmatch(text):
        raise InvalidRequest("A stream id is 32 hexadecimal digits.", status=400)
    return text


def parse_event_id(text: str) -> tuple[str, int]:
    """Split `<stream_id>-<n>`, as it comes in `Last-Event-ID`.

    Raises:
        InvalidRequest: 400, it is not one of ours.
    """
    if not (found := _EVENT_ID.fullmatch(text)):
        raise InvalidRequest("Last-Event-ID is <stream_id>-<n>, as the events carry it.", status=400)
    return found[1], int(found[2])
