"""What the surfaces made for others have in common: a body read leniently, an order to the engine, and its answer."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from fastapi import Depends, Request, Response
from msgspec import structs

from service import generation
from service.access.caller import Caller
from service.dialects.table import Name, encoder
from service.dialects.table import whole as told_whole
from service.engine.engine import Engine, GenerateRequest
from service.generation import OnDisconnect, Policies
from service.http import body
from service.http.dependencies import CallerDep, DisconnectHeader, EngineDep, KeyHeader, idempotency_key
from service.http.headers import stream_headers
from service.http.stream_response import StreamResponse, whole
from service.streams.journal import IdempotencyKey
from service.streams.log import StreamLog

T = TypeVar("T")


class ParsedRequest(Protocol):
    """A request as each of these formats reads it."""

    @property
    def request(self) -> generation.Request:
        """What to ask of the model."""

    @property
    def stream(self) -> bool:
        """Whether the answer is streamed."""

    @property
    def options(self) -> Any:
        """What the format's encoder must know of the request."""

    @property
    def dropped(self) -> Sequence[str]:
        """What was passed over."""


class CompatRequest:
    """One request of such a surface: who asks, in which way, and how it is answered."""

    def __init__(
        self, request: Request, engine: Engine, caller: Caller, key: str | None, on_disconnect: OnDisconnect | None
    ) -> None:
        self.request = request
        self.engine = engine
        self.caller = caller
        self.size = 0
        """Bytes of the body."""
        self._key = key
        self._fingerprint = ""
        self._on_disconnect = on_disconnect

    async def read(self, form: Name, parse: Callable[[Any], T]) -> T:
        """Read the body; `parse` is given what it holds, and may run in a thread.

        Raises:
            InvalidRequest: it is no JSON, or holds too much; and what `parse` raises.
        """

        def build(given: Any) -> T:
            if self._key is not None:
                members = msgspec.json.encode([form, given], order="deterministic")
                self._fingerprint = hashlib.sha256(members).hexdigest()
            return parse(given)

        built, self.size = await body.read(self.request, build)
        return built

    def with_setup(self, wanted: generation.Request) -> generation.Request:
        """Add what these formats have no words for: the API, and a fault ordered from the local Bedrock."""
        settings = self.engine.settings
        fault = self.request.headers.get("x-artesian-fault") if settings.local_faults else None
        return structs.replace(wanted, api=settings.api, fault=fault)

    async def start(
        self,
        parsed: ParsedRequest,
        form: Name,
        *,
        on_disconnect: OnDisconnect | None = None,
        store: bool = True,
        archived: bytes | None = None,
    ) -> StreamLog:
        """Begin the generation, or attach to the one that its key is bound to. `on_disconnect` overrules the header.

        `archived`: the answer is stored in the database, with this input.
        """
        key = self._bound()
        leaves = on_disconnect or self._on_disconnect or "cancel"
        if not (parsed.stream or key or on_disconnect):
            leaves = "cancel"  # nobody could come back to it
        on_interruption = self.engine.settings.on_interruption
        return await self.engine.start(
            GenerateRequest(
                request=self.with_setup(parsed.request),
                caller=self.caller,
                dialect=form,
                policies=Policies(on_interruption=on_interruption, on_disconnect=leaves, store=store),
                options=msgspec.to_builtins(parsed.options) or {},
                dropped=tuple(parsed.dropped),
                key=key,
                lenient=True,
                archived=archived is not None,
                input=archived or b"",
            )
        )

    async def answer(self, log: StreamLog, form: Name, *, stream: bool) -> Response:
        """Send the stream, or the whole answer once it is there."""
        if stream:
            return StreamResponse(self.engine, log, encoder(log, form), fresh=True)
        await whole(self.request.receive, log)
        return json_of(log, told_whole(log, form))

    def _bound(self) -> IdempotencyKey | None:
        return None if self._key is None else idempotency_key(self._key, self.caller.id, self._fingerprint)


async def _asking(
    request: Request,
    engine: EngineDep,
    caller: CallerDep,
    key: KeyHeader = None,
    on_disconnect: DisconnectHeader = None,
) -> CompatRequest:
    return CompatRequest(request, engine, caller, key, on_disconnect)


CompatRequestDep = Annotated[CompatRequest, Depends(_asking)]


def json_of(log: StreamLog, body: object) -> Response:
    """Answer in JSON, and name the stream behind it."""
    return Response(msgspec.json.encode(body), media_type="application/json", headers=stream_headers(log))
