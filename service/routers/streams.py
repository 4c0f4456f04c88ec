"""`/api/streams`: what has been begun can be read again, and cancelled."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from service.dialects.native.events import snapshot
from service.routers.deps import CallerDep, EngineDep
from service.routers.documents import READING, SNAPSHOT, SNAPSHOT_OR_EVENTS
from service.routers.resuming import StreamRoute, follow, heading, native_encoder
from service.streams.log import StreamLog
from service.streams.record import parse_stream_id

router = APIRouter(prefix="/api/streams", tags=["Streams"], route_class=StreamRoute)

StreamId = Annotated[str, Path(description="32 hexadecimal digits, as `X-Stream-Id` has them")]


@router.get(
    "/{stream_id}", summary="Read a stream from its start, or after an event", responses=SNAPSHOT_OR_EVENTS | READING
)
async def read_stream(
    request: Request,
    stream_id: StreamId,
    engine: EngineDep,
    caller: CallerDep,
    after: Annotated[int, Query(ge=0, description="Go on after event number `after`")] = 0,
) -> Response:
    """Send the events so far and then those to come; with `Accept: application/json`, the state as it stands."""
    log = await engine.find(parse_stream_id(stream_id), caller)
    if _prefers_json(request.headers.get("accept", "")):
        return _snapshot(log)
    return follow(engine, log, native_encoder(log), after)


@router.delete("/{stream_id}", summary="Cancel a generation", responses=SNAPSHOT | READING)
async def cancel_stream(
    stream_id: StreamId,
    engine: EngineDep,
    caller: CallerDep,
    *,
    purge: Annotated[bool, Query(description="Also remove what is stored: the stream is 410 afterwards")] = False,
) -> Response:
    """End it upstream and for every reader. A finished stream is left as it is, and its state is the answer."""
    log = await engine.cancel(parse_stream_id(stream_id), caller)
    answer = _snapshot(log)
    if purge:
        await engine.purge(log)
    return answer


def _prefers_json(accept: str) -> bool:
    return "application/json" in accept and "text/event-stream" not in accept


def _snapshot(log: StreamLog) -> Response:
    body = snapshot(heading(log), log.state, log.events, resumable=log.resumable, dropped=log.record.dropped)
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"X-Stream-Id": log.stream_id})
