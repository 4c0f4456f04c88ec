"""`/api/generate`: one prompt or conversation, one answer."""

import hashlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ConfigDict, Field, model_validator

from service.access.caller import Caller
from service.access.tickets import Claims
from service.dialects.native import events
from service.dialects.native.request import Generate, Parameters, to_request
from service.dialects.native.values import Said
from service.engine.engine import Engine, GenerateRequest
from service.generation import OnDisconnect, Policies
from service.http.dependencies import (
    CallerDep,
    DisconnectHeader,
    EngineDep,
    KeyHeader,
    come_back,
    idempotency_key,
    ticket_key,
    ticket_of,
)
from service.http.direct import DirectRoute
from service.http.headers import stream_headers
from service.http.openapi.document import ANSWER_OR_EVENTS, EVENTS, GENERATING
from service.http.resume import heading, native_encoder
from service.http.stream_response import StreamResponse, whole
from service.streams.journal import IdempotencyKey
from service.streams.log import StreamLog

router = APIRouter(prefix="/api", tags=["Generate"], route_class=DirectRoute, dependencies=[Depends(come_back)])


class QueryPrompt(Parameters):
    """What an EventSource can say: a prompt, and the parameters that are single values."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    prompt: Said = Field(description="One message of the user")
    stream: bool = Field(default=True, description="False: one JSON object instead")
    ticket: str | None = Field(
        default=None, exclude=True, description="A ticket from `POST /api/tickets`, in place of a key"
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, given: Any) -> Any:
        """Take `system=` for what is left out: so a page sends a box that nobody has filled in."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value != "" or name == "prompt"}


@router.post(
    "/generate", summary="Answer a prompt, whole or as a stream", responses=EVENTS | ANSWER_OR_EVENTS | GENERATING
)
async def generate(
    request: Request,
    body: Generate,
    engine: EngineDep,
    caller: CallerDep,
    key: KeyHeader = None,
    on_disconnect: DisconnectHeader = None,
) -> Response:
    """Answer with one JSON object, or with `stream: true` with Server-Sent Events."""
    order, stream = _order(request, engine, body, caller, key=key, on_disconnect=on_disconnect), body.stream
    del body
    return await _answer(request, engine, order, stream=stream)


@router.post("/generate/stream", summary="Stream an answer", responses=EVENTS | GENERATING)
async def generate_stream(
    request: Request,
    body: Generate,
    engine: EngineDep,
    caller: CallerDep,
    key: KeyHeader = None,
    on_disconnect: DisconnectHeader = None,
) -> Response:
    """The same as `POST /api/generate`, always as Server-Sent Events."""
    order = _order(request, engine, body, caller, key=key, on_disconnect=on_disconnect, stream=True)
    return await _answer(request, engine, order, stream=True)


@router.get("/generate", summary="Stream an answer to an EventSource", responses=EVENTS | ANSWER_OR_EVENTS | GENERATING)
async def generate_by_query(
    request: Request,
    query: Annotated[QueryPrompt, Query()],
    engine: EngineDep,
    caller: CallerDep,
    on_disconnect: DisconnectHeader = None,
) -> Response:
    """Stream to an EventSource, which can neither POST nor read an HTTP error: a refusal is a 200 with its event."""
    body = Generate.model_validate(query.model_dump(exclude_unset=True) | {"stream": query.stream})
    order = _order(request, engine, body, caller, on_disconnect=on_disconnect, ticket=ticket_of(request))
    return await _answer(request, engine, order, stream=query.stream)


def _order(
    request: Request,
    engine: Engine,
    body: Generate,
    caller: Caller,
    *,
    key: str | None = None,
    on_disconnect: OnDisconnect | None = None,
    ticket: Claims | None = None,
    stream: bool = False,
) -> GenerateRequest:
    settings = engine.settings
    stream = stream or body.stream
    bound = _bound(body, caller, key, ticket)
    leaves = on_disconnect or body.on_disconnect or settings.on_disconnect
    policies = Policies(
        on_interruption=body.on_interruption or settings.on_interruption,
        on_disconnect=leaves if stream or bound else "cancel",  # nobody could come back to it
        store=body.store,
    )
    return GenerateRequest(
        request=to_request(
            body,
            body.turns(),
            default_model_id=settings.default_model_id,
            default_api=settings.api,
            fault=request.headers.get("x-artesian-fault") if settings.local_faults else None,
            ceiling=caller.max_tokens,
        ),
        caller=caller,
        dialect="native",
        policies=policies,
        options={"ticket": ticket.nonce} if ticket else {},
        key=bound,
    )


def _bound(body: Generate, caller: Caller, key: str | None, ticket: Claims | None) -> IdempotencyKey | None:
    """Name what may be asked twice for one stream: a key, or a ticket, which an EventSource brings again."""
    if ticket:
        return ticket_key(ticket, fingerprint(body))
    return None if key is None else idempotency_key(key, caller.id, fingerprint(body))


def fingerprint(body: Parameters) -> str:
    """Tell one body from another, whatever the order of its members, and whichever way the answer is to be sent."""
    members = body.model_dump(mode="json", exclude_unset=True, exclude={"stream"})
    return hashlib.sha256(msgspec.json.encode(members, order="deterministic")).hexdigest()


async def _answer(request: Request, engine: Engine, order: GenerateRequest, *, stream: bool) -> Response:
    log = await engine.start(order)
    if stream:
        return StreamResponse(engine, log, native_encoder(log), fresh=True)
    return await answer_whole(request, log)


async def answer_whole(request: Request, log: StreamLog) -> Response:
    """Wait for the whole answer and send it as one JSON object."""
    end = await whole(request.receive, log)
    body = events.whole(heading(log), log.events, end)
    return Response(msgspec.json.encode(body), media_type="application/json", headers=stream_headers(log))
