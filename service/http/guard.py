"""The door: what every request has to be before anything else looks at it.

Pure ASGI, since it stands in the way of each stream. Without keys it also minds who asks, so that no web page can
spend its visitor's money through a service on the visitor's machine: DNS rebinding shows in Host, a foreign page in
`Sec-Fetch-Site` and Origin. With keys it asks for one.
"""

import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.caller import UNKNOWN
from service.dialects.table import dialect_of
from service.errors import ServiceError
from service.http.authentication import Authenticator
from service.http.headers import NOT_KEPT, PROTECTIVE_HEADERS, Raw, complete, headers_of, raw
from service.http.problems import answer, problem
from service.settings import Settings, is_loopback
from service.telemetry.context import bind_request_id

logger = logging.getLogger(__name__)

_HEALTH = frozenset({"/healthz", "/readyz"})  # a prober names no host that we could know
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_JSON = re.compile(r"application/json\s*(;.*)?", re.IGNORECASE)
_NOT_KEPT = raw(NOT_KEPT)
_ASKS_FOR_KEY = raw({"WWW-Authenticate": "Bearer"})
_HOSTS = 64  # names of this service that are known again; each may be as long as a head


class Guard:
    """ASGI middleware: gives a request its id, and refuses what must not pass."""

    def __init__(self, app: ASGIApp, settings: Settings, credentials: Authenticator) -> None:
        self._app = app
        self._credentials = credentials
        self._settings = settings
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        self._origins = {origin.lower().rstrip("/") for origin in settings.cors_origins}
        self._always = raw({"X-Artesian-Backend": settings.backend, **PROTECTIVE_HEADERS})
        self._is_ours = lru_cache(_HOSTS)(self._names_us)  # to read a host took 500 bytecodes of each request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
        asked = headers.get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(16)
        scope["artesian.request_id"] = request_id
        bind_request_id(request_id)
        scope["artesian.caller"] = UNKNOWN
        scope["artesian.send"] = send
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                scope["artesian.status"] = message["status"]
                complete(message, self._additions(scope, message, request_id))
            await send(message)

        if refused := await self._refused(scope, receive, headers):
            await refused(scope, receive, send_with_id)
            return
        try:
            await self._app(scope, _limited(receive, self._settings.max_body), send_with_id)
        except Exception:
            if started:  # too late for a word: the connection is cut, which no reader takes for an end
                raise
            told = {"request_id": request_id, "key_id": scope["artesian.caller"].id}
            logger.exception("Unhandled error", extra=told)
            await answer(Request(scope, receive), ServiceError("internal"))(scope, receive, send_with_id)

    def _additions(self, scope: Scope, message: Message, request_id: str) -> Iterator[Raw]:
        """What an answer gets that does not say otherwise."""
        yield b"x-request-id", request_id.encode("latin-1")
        yield from self._always
        if b"json" in dict(message["headers"]).get(b"content-type", b""):
            yield from _NOT_KEPT
        if (name := dialect_of(scope["path"], headers_of(scope)).request_id_header) != "x-request-id":
            yield name.encode(), request_id.encode("latin-1")
        if message["status"] == HTTPStatus.UNAUTHORIZED:
            yield from _ASKS_FOR_KEY

    async def _refused(self, scope: Scope, receive: Receive, headers: Mapping[str, str]) -> Response | None:
        """Find out who asks, and answer what must not pass."""
        if scope["path"] not in _HEALTH and not self._settings.api_keys_file and (why := self._foreign(headers)):
            return problem(
                Request(scope, receive), ServiceError("forbidden", why)
            )  # also to an EventSource of a foreign page's
        try:
            scope["artesian.caller"], scope["artesian.ticket"] = await self._credentials.read(scope, headers)
        except ServiceError as refusal:
            return answer(Request(scope, receive), refusal)
        wrong = self._wrong(scope, headers)
        return problem(Request(scope, receive), wrong) if wrong else None

    def _wrong(self, scope: Scope, headers: Mapping[str, str]) -> ServiceError | None:
        """Say what is wrong with a body that has not been read."""
        if (
            scope["method"] in _WITH_BODY
            and _has_body(headers)
            and not _JSON.fullmatch(headers.get("content-type", ""))
        ):
            return ServiceError("unsupported_media_type")
        if (length := headers.get("content-length", "")).isdecimal() and int(length) > self._settings.max_body:
            return ServiceError("too_large")
        return None

    def _foreign(self, headers: Mapping[str, str]) -> str | None:
        """Say why a request does not come from here, if so."""
        if not self._is_ours(headers.get("host", "")):
            return "Host: this service answers on loopback and on the names in ARTESIAN_ALLOWED_HOSTS only."
        if headers.get("sec-fetch-site") == "cross-site" and not self._listed(headers.get("origin")):
            return "Sec-Fetch-Site: other web pages may not use this service; see ARTESIAN_CORS_ORIGINS."
        if (origin := headers.get("origin")) is not None and not self._listed(origin):
            return "Origin: this page may not use this service; see ARTESIAN_CORS_ORIGINS."
        return None

    def _names_us(self, host: str) -> bool:
        name = _hostname("//" + host)
        return is_loopback(name) or name in self._hosts or name == self._settings.host

    def _listed(self, origin: str | None) -> bool:
        if origin is None or origin == "null":
            return False
        host = _hostname(origin)
        return origin.lower() in self._origins or is_loopback(host) or host in self._hosts


def _limited(receive: Receive, limit: int) -> Receive:
    """Take no more of a body than may be. Starlette's own limit has one answer for it, in plain text (1.10)."""
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # of the kind that FastAPI lets pass
        return message

    return receive_some


def _hostname(address: str) -> str:
    """The host of an address; none where it cannot be read."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _has_body(headers: Mapping[str, str]) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
