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
    ready = bool(
        credentials and region and checks["journal"]["ok"] and checks["database"]["ok"] and not engine.draining
    )
    return JSONResponse({"status": "ready" if ready else "not ready", **checks}, status_code=200 if ready else 503)
