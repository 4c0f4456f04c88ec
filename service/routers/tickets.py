"""`/api/tickets`: what an EventSource brings in its address, where a key must not stand."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.access.tickets import Tickets
from service.http.authentication import require
from service.http.body import BodyRoute
from service.http.dependencies import CallerDep, find_stream
from service.http.openapi.document import problems
from service.streams.record import parse_stream_id

router = APIRouter(prefix="/api/tickets", tags=["Tickets"], route_class=BodyRoute)


class TicketRequest(BaseModel):
    """What the ticket is for."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    stream_id: str | None = Field(
        default=None, description="The stream that it reads; without it the ticket starts a stream of its own"
    )


class Ticket(BaseModel):
    """A ticket, and until when it starts a stream; for coming back to that stream it is good for longer."""

    ticket: str
    expires_in: float = Field(description="Seconds")
    expires_at: str = Field(description="RFC 3339, in UTC")


async def _tickets(request: Request) -> Tickets:
    return cast("Tickets", request.app.state.tickets)


@router.post("", summary="Take a ticket", responses={200: {"model": Ticket}, **problems(404, 410, 413, 415, 422)})
async def issue(
    request: Request,
    caller: CallerDep,
    tickets: Annotated[Tickets, Depends(_tickets)],
    body: TicketRequest | None = None,
) -> Response:
    """Take a ticket for `?ticket=` of `GET /api/generate` or `GET /api/streams/{stream_id}`: for one stream."""
    stream_id = body.stream_id if body else None
    require(caller, "read" if stream_id else "generate")
    if stream_id:
        await find_stream(request, parse_stream_id(stream_id))
    return _json(tickets.issue(caller.id, stream_id), tickets.start_s)


def _json(ticket: str, expires_in: float) -> Response:
    expires_at = datetime.now(UTC) + timedelta(seconds=expires_in)
    body: dict[str, Any] = {
        "ticket": ticket,
        "expires_in": expires_in,
        "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(body), headers=headers, media_type="application/json")
