"""Alive, and ready: for those who run the service."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service.routers.deps import EngineDep, SettingsDep

router = APIRouter(tags=["Health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Answer as long as the process does anything at all."""
    return {"status": "ok"}


@router.get("/readyz", summary="Ready, or what is missing", responses={503: {"description": "Not ready"}})
async def readyz(request: Request, engine: EngineDep, settings: SettingsDep) -> Response:
    """Say what is there and what is not, without a call to AWS."""
    credentials = settings.backend == "local" or await request.state.bedrock.credentials_found()
    region = engine.upstream.region
    kept = request.state.conversations
    checks: dict[str, Any] = {
        "backend": {
            "name": settings.backend,
            "url": request.state.backend_url,
            "region": region,
            "credentials": credentials,
        },
        "journal": {"name": engine.journal.name, "ok": engine.journal.available},
        "database": {"name": kept.name, "ok": await kept.check()},
        "draining": engine.draining,
        "streams": engine.running,
    }
    status = _status(called=bool(credentials and region), kept=checks["journal"]["ok"] and checks["database"]["ok"])
    if engine.draining:
        status = "draining"
    return JSONResponse({"status": status, **checks}, status_code=200 if status == "ready" else 503)


def _status(*, called: bool, kept: bool) -> str:
    """Name the state: whether Bedrock can be called, and whether what is said is kept."""
    if not called:
        return "not ready"
    return "ready" if kept else "degraded"  # it goes on, and says of each stream that it cannot be come back to
