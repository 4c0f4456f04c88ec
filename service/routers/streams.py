"""`/api/streams`: what has been begun can be read again, and cancelled."""

import re
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from service.dialects.native.events import snapshot
from service.dialects.table import Name, encoder, heading
from service.errors import FieldError, InvalidRequest
from service.http.dependencies import EngineDep, LastEventId, OwnerDep, TicketQuery, find_stream
from service.http.openapi.document import READING, SNAPSHOT, SNAPSHOT_OR_EVENTS
from service.http.resume import follow
from service.streams.log import StreamLog
from service.streams.record import parse_event_id, parse_stream_id

router = APIRouter(prefix="/api/streams", tags=["Streams"])

StreamId = Annotated[str, Path(description="32 hexadecimal digits, as `X-Stream-Id` has them")]
After = Annotated[  # a cursor that is none is a 400, so it is read here and not by the schema
    str, Query(description="Go on after event number `after`", json_schema_extra={"pattern": "^[0-9]+$"})
]
_NUMBER = re.compile("[0-9]{1,18}")


@router.get(
    "/{stream_id}", summary="Read a stream from its start, or after an event", responses=SNAPSHOT_OR_EVENTS | READING
)
async def read_stream(
    request: Request,
    stream_id: StreamId,
    engine: EngineDep,
    after: After = "0",
    form: Annotated[Name, Query(alias="format", description="The format to read it in, whichever it was begun in")] = (
        "native"
    ),
    last_event_id: LastEventId = None,
    _: TicketQuery = None,
) -> Response:
    """Send the events so far and then those to come; with `Accept: application/json`, the state as it stands."""
    seen = _seen(parse_stream_id(stream_id), after, last_event_id)
    log = await find_stream(request, stream_id, after=seen)
    if _prefers_json(request.headers.get("accept", "")):
        return _snapshot(log)
    return follow(engine, log, encoder(log, form), seen)


@router.delete("/{stream_id}", summary="Cancel a generation", responses=SNAPSHOT | READING)
async def cancel_stream(
    request: Request,
    stream_id: StreamId,
    engine: EngineDep,
    caller: OwnerDep,
    *,
    purge: Annotated[bool, Query(description="Also remove what is stored: the stream is 410 afterwards")] = False,
) -> Response:
    """End it upstream and for every reader. A finished stream is left as it is, and its state is the answer."""
    log = await engine.cancel(parse_stream_id(stream_id), caller)
    answer = _snapshot(log)
    if purge:
        if log.record.dialect == "responses":
            await request.state.archive.delete(caller, log.stream_id)
        await engine.purge(log)
    return answer


def _seen(stream_id: str, after: str, last_event_id: str | None) -> int:
    """Read how far the reader has come. The header counts: a browser that reconnects keeps its address."""
    if last_event_id is not None:
        of_stream, number = parse_event_id(last_event_id)
        if of_stream != stream_id:
            raise InvalidRequest("Last-Event-ID: this is an event of another stream.", status=400)
        return number
    if not _NUMBER.fullmatch(after):
        wrong = FieldError("after", "must be the number of an event, or 0 for the start")
        raise InvalidRequest(f"{wrong.field}: {wrong.message}", [wrong], status=400)
    return int(after)


def _prefers_json(accept: str) -> bool:
    return "application/json" in accept and "text/event-stream" not in accept


def _snapshot(log: StreamLog) -> Response:
    body = snapshot(heading(log), log.state, log.events, resumable=log.resumable, dropped=log.record.dropped)
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"X-Stream-Id": log.stream_id})
