"""Who asks: a key in a header, or a ticket in an address; and the scope that a call wants.

Everything is closed but what stands in `_OPEN`: a new route needs a key without anybody thinking of it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from service.access.caller import ANONYMOUS, UNKNOWN, Caller, Scope
from service.access.keyring import Keyring
from service.access.tickets import Claims, Tickets, expired
from service.errors import ServiceError
from service.settings import Settings
from service.streams.record import NOWHERE

_OPEN = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
_OPEN_FOLDERS = ("/web/", "/docs/")
_BY_QUERY = "/api/generate"
_STREAM = re.compile(r"/api/streams/[^/]+")
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_IN_ADDRESS = ("api_key", "api-key", "apikey", "key", "access_token", "token", "x-api-key", "authorization")
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Authenticator:
    """Finds out who asks. Without keys everybody is the same one."""

    def __init__(self, keyring: Keyring | None, tickets: Tickets) -> None:
        self._keyring = keyring
        self._tickets = tickets

    async def read(self, scope: Any, headers: Mapping[str, str]) -> tuple[Caller, Claims | None]:
        """Tell who asks, and with which ticket.

        Raises:
            ServiceError: `unauthenticated`; `forbidden`, the key lacks the scope.
        """
        method, path = scope["method"], scope["path"]
        query = parse_qs(scope["query_string"].decode("latin-1")) if scope["query_string"] else {}
        if method == "GET" and path == _BY_QUERY and headers.get("last-event-id", "").startswith(f"{NOWHERE}-"):
            return UNKNOWN, None  # an EventSource that was refused comes back, and is told that there is nothing more
        if _takes_ticket(method, path) and (ticket := query.get("ticket")):
            return await self._by_ticket(ticket[-1], comes_back="last-event-id" in headers, path=path)
        if self._keyring is None:
            return ANONYMOUS, None
        if _is_open(path):
            return (await self._known(Headers(scope=scope)) if path == "/readyz" else UNKNOWN), None
        for name in _IN_ADDRESS:
            if name in query:
                sentence = (
                    "a key does not belong in an address, which is kept in logs; take a ticket: POST /api/tickets"
                )
                raise ServiceError("unauthenticated", f"{name}: {sentence}.")
        caller = await self._by_key(self._keyring, Headers(scope=scope))
        if scope_needed := needed(method, path):
            require(caller, scope_needed)
        return caller, None

    async def _by_key(self, keyring: Keyring, headers: Headers) -> Caller:
        """Find the caller by whichever of the headers holds a good key; both SDKs may send both."""
        refusal = ServiceError("unauthenticated", "An API key is needed: `Authorization: Bearer …` or `x-api-key`.")
        for number, key in enumerate(_keys(headers)):
            try:
                return await keyring.find(key)
            except ServiceError as error:
                refusal = refusal if number else error
        raise refusal

    async def _known(self, headers: Headers) -> Caller:
        """Tell who asks for what is open but says more to whoever has a key."""
        try:
            return UNKNOWN if self._keyring is None else await self._by_key(self._keyring, headers)
        except ServiceError:
            return UNKNOWN

    async def _by_ticket(self, ticket: str, *, comes_back: bool, path: str) -> tuple[Caller, Claims]:
        claims = self._tickets.read(ticket)
        if self._keyring is not None:
            caller = await self._keyring.owner(claims.caller)
        elif claims.caller == ANONYMOUS.id:
            caller = ANONYMOUS
        else:
            raise ServiceError("unauthenticated", "ticket: this service has no keys.")
        if path == _BY_QUERY and not comes_back:
            if claims.stream_id:
                raise ServiceError("forbidden", "ticket: it reads a stream, and starts none.")
            if not claims.starts:
                raise expired()
            require(caller, "generate")
        return caller, claims


def open_credentials(settings: Settings, tickets: Tickets) -> Authenticator:
    """Read the keys, where there are any.

    Raises:
        SettingsError: their file cannot be used.
    """
    return Authenticator(Keyring(settings.api_keys_file) if settings.api_keys_file else None, tickets)


def needed(method: str, path: str) -> Scope | None:
    """Tell which scope a call wants; None: the route itself looks, or any good key will do."""
    if path == "/metrics":
        return "metrics"
    if path == "/api/tickets":
        return None
    return "read" if method in _LOOKING and path != _BY_QUERY else "generate"


def require(caller: Caller, scope: Scope) -> None:
    """Refuse a key without a scope.

    Raises:
        ServiceError: `forbidden`, it names the scope.
    """
    if not caller.may(scope):
        raise ServiceError("forbidden", f"This API key lacks the scope `{scope}`.")


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_FOLDERS)


def _takes_ticket(method: str, path: str) -> bool:
    return method == "GET" and (path == _BY_QUERY or _STREAM.fullmatch(path) is not None)


def _keys(headers: Headers) -> Iterator[str]:
    for value in headers.getlist("authorization"):
        if bearer := _BEARER.fullmatch(value):
            yield bearer[1]
    for value in headers.getlist("x-api-key"):
        if value.strip():
            yield value.strip()
