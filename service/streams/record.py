"""What a journal stores of a stream beside its events."""

import re
import secrets
from typing import Any, Literal, Self

from msgspec import Struct, structs

from service.errors import InvalidRequest
from service.generation import Policies, Request

State = Literal["queued", "starting", "streaming", "continuing", "done", "failed", "cancelled"]

ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

NOWHERE = b"a stream nowhere".hex()
"""The stream id in a refusal that has no stream: an EventSource reconnects with it and gets the end of the stream.

It is not an id that a client would invent to test what an unknown stream returns: that one is `gone`.
"""

_STREAM_ID = re.compile(r"[0-9a-f]{32}")
_EVENT_ID = re.compile(r"([0-9a-f]{32})-(0|[1-9][0-9]{0,17})")


class Record(Struct, frozen=True):
    """A stream as it was created. `created` is in Unix seconds; `options` are the dialect's own.

    `fallbacks` are the models that its key may use instead of the requested one; `tokens_per_minute` is the key's
    limit, for a process that takes the stream over. `archived`: the answer has to be stored in the database, and the
    journal keeps it until then; `input` is what is stored with it.
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
        """Return a copy that has only the model's id of the request."""
        return structs.replace(self, request=Request(self.request.model_id, ()))

    def with_request(self, request: Request) -> Self:
        """Return a copy with the request, which is stored separately."""
        return structs.replace(self, request=request)


def new_stream_id() -> str:
    """Make an id that cannot be guessed: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def parse_stream_id(text: str) -> str:
    """Check the form of a stream id.

    Raises:
        InvalidRequest: 400, the form is wrong.
    """
    if not _STREAM_ID.fullmatch(text):
        raise InvalidRequest("A stream id is 32 hexadecimal digits.", status=400)
    return text


def parse_event_id(text: str) -> tuple[str, int]:
    """Split `<stream_id>-<n>`, the value of `Last-Event-ID`.

    Raises:
        InvalidRequest: 400, the form is wrong.
    """
    if not (found := _EVENT_ID.fullmatch(text)):
        raise InvalidRequest("Last-Event-ID is <stream_id>-<n>, as the events carry it.", status=400)
    return found[1], int(found[2])
