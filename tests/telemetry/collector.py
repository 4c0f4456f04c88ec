"""An OTLP/HTTP collector on loopback that parses the protobuf and keeps the spans."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.harness import serving
from tests.waiting import eventually


class Received:
    """One received span."""

    def __init__(self, span: Span, resource: dict[str, Any]) -> None:
        self.name = span.name
        self.kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
        self.failed = span.status.code == 2  # STATUS_CODE_ERROR
        self.trace_id = span.trace_id.hex()
        self.id = span.span_id.hex()
        self.parent_id = span.parent_span_id.hex()
        self.state = span.trace_state
        self.attributes = values(span.attributes)
        self.events = [(event.name, values(event.attributes)) for event in span.events]
        self.seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        self.resource = resource


def values(attributes: Any) -> dict[str, Any]:
    """Convert OTLP's typed values to plain ones."""
    return {each.key: _plain(each.value) for each in attributes}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    return getattr(value, kind)


class Collector:
    """The received spans. `bodies` has their bytes, to look for content."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Received] = []
        self.bodies = b""
        self.hangs = False

    async def take(self, request: Request) -> Response:
        """Receive a batch."""
        body = await request.body()
        if self.hangs:
            await asyncio.Event().wait()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies += body
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = values(each.resource.attributes)
            self.spans += [Received(span, resource) for scope in each.scope_spans for span in scope.spans]
        return Response(b"", media_type="application/x-protobuf")

    async def has(self, number: int) -> list[Received]:
        """Wait until `number` spans have been received."""

        async def come() -> list[Received] | None:
            return self.spans if len(self.spans) >= number else None

        found: list[Received] = await eventually(come)
        return found


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector."""
    collector = Collector()
    app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    async with serving(app) as collector.url:
        yield collector
