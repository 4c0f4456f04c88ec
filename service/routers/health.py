"""Alive, and ready: for those who run the service."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service import __version__
from service.errors import ServiceError
from service.http.dependencies import EngineDep, SettingsDep, caller_of
from service.http.openapi.document import problems

router = APIRouter(tags=["Health"])

_CHECK_S = 0.8  # a probe waits for a second, where nobody has told it otherwise


@router.get("/healthz", summary="Alive", responses=problems(503))
async def healthz(request: Request) -> dict[str, str]:
    """Say whether this process can still serve: its engine and its background tasks run."""
    if not request.app.state.vitals.alive:
        raise ServiceError("draining", "A background task of this process ended unexpectedly; the process exits.")
    return {"status": "ok", "version": __version__}


@router.get("/readyz", summary="Ready, or what is missing", responses={503: {"description": "Not ready"}})
async def readyz(request: Request, engine: EngineDep, settings: SettingsDep) -> Response:
    """Say what is there and what is not, within a second, without a call to AWS; where, to those with a key alone."""
    kept = request.state.conversations
    credentials, database = await asyncio.gather(
        _in_time(request.state.bedrock.credentials_found()), _in_time(kept.check())
    )
    region = engine.upstream.region
    checks: dict[str, Any] = {
        "backend": {"name": settings.backend, "credentials": credentials},
        "journal": {"name": engine.journal.name, "ok": engine.journal.available},
        "database": {"name": kept.name, "ok": database},
        "draining": engine.draining,
    }
    status, problems = _status(checks, region), _problems(checks, region)
    known = bool(caller_of(request).scopes)
    if known or settings.backend == "local":  # the built-in Bedrock is on this machine's loopback, and no secret
        checks["backend"] |= {"url": request.state.backend_url, "region": region}
    if known:
        checks["streams"] = engine.running
    body = {"status": status, "problems": problems, **checks}
    return JSONResponse(body, status_code=200 if status == "ready" else 503)


async def _in_time(check: Awaitable[bool]) -> bool:
    """Take what does not answer in time for what is not there."""
    try:
        async with asyncio.timeout(_CHECK_S):
            return await check
    except TimeoutError:
        return False


def _status(checks: dict[str, Any], region: str | None) -> str:
    """Name the state: whether Bedrock can be called, and whether what is said is kept."""
    if checks["draining"]:
        return "draining"
    if not (checks["backend"]["credentials"] and region):
        return "not ready"
    kept = checks["journal"]["ok"] and checks["database"]["ok"]
    return "ready" if kept else "degraded"  # it goes on, and says of each stream that it cannot be come back to


def _problems(checks: dict[str, Any], region: str | None) -> list[str]:
    """Say what is wrong, a sentence each."""
    sentences = {
        "The service is shutting down: it takes no further generation.": checks["draining"],
        "No AWS credentials are found: see `AWS_PROFILE`, the role of this machine, or `AWS_BEARER_TOKEN_BEDROCK`.": (
            not checks["backend"]["credentials"]
        ),
        "No region is set: see `ARTESIAN_REGION` or `AWS_REGION`.": not region,
        "The journal of streams cannot be reached: see `ARTESIAN_JOURNAL_URL`.": not checks["journal"]["ok"],
        "The database of conversations does not answer: see `ARTESIAN_DATABASE_URL`.": not checks["database"]["ok"],
    }
    return [sentence for sentence, wrong in sentences.items() if wrong]
