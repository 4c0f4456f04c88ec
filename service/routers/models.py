"""`/api/models`: what may be asked for."""

from typing import Any

from fastapi import APIRouter, Request
from msgspec import to_builtins

from service.routers.documents import problems

router = APIRouter(prefix="/api", tags=["Models"])


@router.get("/models", summary="List the models", responses=problems(502, 503))
async def list_models(request: Request) -> dict[str, Any]:
    """List the models the backend offers, with what each can do and the names that stand for it."""
    settings = request.app.state.settings
    return {"models": to_builtins(await request.state.offers.all()), "default": settings.default_model_id}
