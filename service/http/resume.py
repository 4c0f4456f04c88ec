"""Coming back: `Last-Event-ID` on any call that streams attaches to its stream, before anything else is looked at."""

from typing import ClassVar, cast

from fastapi import Request, Response

from service.dialects.dialect import Encoder
from service.dialects.table import Name, encoder, heading, native_encoder
from service.engine.engine import Engine
from service.errors import InvalidRequest
from service.http.body import BodyRoute
from service.http.dependencies import Handler, find_stream
from service.http.headers import headers_of
from service.http.stream_response import StreamResponse
from service.streams.log import StreamLog
from service.streams.record import NOWHERE, parse_event_id

__all__ = ["StreamRoute", "follow", "heading", "native_encoder", "resume"]


class StreamRoute(BodyRoute):
    """A route that can be come back to. Its body and its query do not matter then: nothing is generated."""

    dialect: ClassVar[Name] = "native"

    def get_route_handler(self) -> Handler:
        """Look for `Last-Event-ID` before FastAPI validates the request."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if (last := headers_of(request.scope).get("last-event-id")) is None:
                return await handler(request)
            return await resume(request, last, self.dialect)

        return handle


async def resume(request: Request, last_event_id: str, form: Name = "native") -> Response:
    """Go on after an event; 204 where it was the last."""
    stream_id, after = parse_event_id(last_event_id)
    if stream_id == NOWHERE:
        return Response(status_code=204)
    log = await find_stream(request, stream_id, after=after)
    return follow(cast("Engine", request.state.engine), log, encoder(log, form), after)


def follow(engine: Engine, log: StreamLog, encoder: Encoder, after: int) -> Response:
    """Send a stream's events after number `after`; 204 where there will be none, which stops EventSource.

    Raises:
        InvalidRequest: 400, the stream has no such event yet.
    """
    if after > len(log.events):
        raise InvalidRequest(f"This stream has not come to event {after} yet.", status=400)
    if log.end and after == len(log.events):
        return Response(status_code=204, headers={"X-Stream-Id": log.stream_id})
    return StreamResponse(engine, log, encoder, after=after)
