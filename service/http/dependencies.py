"""What handlers are given: the engine, the settings, who asks, and the headers that matter.

A dependency that does not wait is `async` all the same: FastAPI sends a plain function to a thread, for each request.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Query, Request, Response

from service.access.caller import Caller
from service.access.tickets import Claims
from service.engine.engine import Engine
from service.errors import InvalidRequest, ServiceError
from service.generation import OnDisconnect
from service.settings import Settings
from service.streams.journal import IdempotencyKey
from service.streams.log import StreamLog

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_LONGEST_KEY = 255


def ticket_key(claims: Claims, fingerprint: str) -> IdempotencyKey:
    """Bind a ticket to the one stream that it starts; no header can hold this key."""
    return IdempotencyKey(claims.caller, f"ticket {claims.nonce}", fingerprint, of="ticket")


async def _engine(request: Request) -> Engine:
    return cast("Engine", request.state.engine)


async def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


def caller_of(request: Request) -> Caller:
    """Tell who asks: the owner of the key that the guard has read."""
    caller: Caller = request.scope["artesian.caller"]
    return caller


def ticket_of(request: Request) -> Claims | None:
    """Tell what the ticket says that stands in the address."""
    claims: Claims | None = request.scope["artesian.ticket"]
    return claims


async def find_stream(request: Request, stream_id: str, *, after: int = 0) -> StreamLog:
    """Find a stream of whoever asks; with a ticket it is that ticket's own, or none.

    Raises:
        ServiceError: `gone`, nobody knows it any more; `not_found`, it is another's.
    """
    engine: Engine = request.state.engine
    log = await engine.find(stream_id, caller_of(request).id, after=after)
    claims = ticket_of(request)
    if claims and not claims.opens(stream_id, log.record.options.get("ticket")):
        raise ServiceError("not_found", "There is no such stream, or this ticket is not for it.")
    return log


async def _caller(request: Request) -> Caller:
    return caller_of(request)


async def _owner(request: Request) -> str:
    return caller_of(request).id


EngineDep = Annotated[Engine, Depends(_engine)]
SettingsDep = Annotated[Settings, Depends(_settings)]
CallerDep = Annotated[Caller, Depends(_caller)]
OwnerDep = Annotated[str, Depends(_owner)]
"""The caller's id: whose streams, conversations and responses these are."""

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", description="1 to 255 visible characters: the same key attaches to the same stream"
    ),
]
DisconnectHeader = Annotated[
    OnDisconnect | None, Header(alias="X-On-Disconnect", description="What becomes of the generation without a reader")
]
TicketQuery = Annotated[
    str | None, Query(alias="ticket", description="A ticket from `POST /api/tickets`, in place of a key")
]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="Go on after this event, as EventSource does by itself")
]


async def come_back(_: LastEventId = None) -> None:
    """Describe `Last-Event-ID` where the route has long looked at it."""


def idempotency_key(header: str | None, caller: str, fingerprint: str) -> IdempotencyKey | None:
    """Read an `Idempotency-Key`.

    Raises:
        InvalidRequest: it is empty, too long, or has characters one cannot see.
    """
    if header is None:
        return None
    if not (1 <= len(header) <= _LONGEST_KEY and all("!" <= character <= "~" for character in header)):
        raise InvalidRequest("Idempotency-Key: must be 1 to 255 visible ASCII characters.", status=400)
    return IdempotencyKey(caller, header, fingerprint)
