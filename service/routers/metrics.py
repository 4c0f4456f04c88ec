"""`/metrics`: what Prometheus reads. Where there are keys the guard has asked for one with the scope `metrics`."""

from typing import TYPE_CHECKING, cast

from fastapi import APIRouter, Request, Response

from service.http.openapi.document import problems

if TYPE_CHECKING:
    from service.telemetry.listener import Telemetry

router = APIRouter(tags=["Health"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"},
        **problems(),
    },
)
async def metrics(request: Request) -> Response:
    """Answer in Prometheus's text format, or in OpenMetrics where `Accept` asks for it; of all workers at once."""
    telemetry = cast("Telemetry", request.state.telemetry)
    text, content_type = await telemetry.exposition(request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
