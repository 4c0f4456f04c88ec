"""What handlers are given: the engine, the settings, who asks, and the headers that matter.

A dependency that does not wait is `async` all the same: FastAPI sends a plain function to a thread, for each request.
"""

from typing import Annotated, cast

from fastapi import Depends, Header, Request

from service.access.caller import ANONYMOUS, Caller
from service.engine.engine import Engine
from service.errors import InvalidRequest
from service.generation import OnDisconnect
from service.settings import Settings
from service.streams.journal import Key

_LONGEST_KEY = 255


async def _engine(request: Request) -> Engine:
    return cast("Engine", request.state.engine)


async def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


def caller_of(request: Request) -> Caller:
    """Tell who asks: the owner of the key that the guard has read."""
    caller: Caller = request.scope.get("artesian.caller", ANONYMOUS)
    return caller


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
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="Go on after this event, as EventSource does by itself")
]


async def come_back(_: LastEventId = None) -> None:
    """Describe `Last-Event-ID` where the route has long looked at it."""


def idempotency_key(header: str | None, caller: str, fingerprint: str) -> Key | None:
    """Read an `Idempotency-Key`.

    Raises:
        InvalidRequest: it is empty, too long, or has characters one cannot see.
    """
    if header is None:
        return None
    if not (1 <= len(header) <= _LONGEST_KEY and all("!" <= character <= "~" for character in header)):
        raise InvalidRequest("Idempotency-Key: must be 1 to 255 visible ASCII characters.", status=400)
    return Key(caller, header, fingerprint)
