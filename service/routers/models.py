"""`/api/models`: what may be asked for."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from msgspec import to_builtins

from service.engine.fallbacks import names_of
from service.http.client_disconnect import unless_disconnected
from service.http.dependencies import CallerDep, SettingsDep
from service.http.openapi.document import problems

if TYPE_CHECKING:
    from service.bedrock.catalog.offers import Offers

router = APIRouter(prefix="/api", tags=["Models"])


@router.get("/models", summary="List the models", responses=problems(502, 503))
async def list_models(request: Request, caller: CallerDep, settings: SettingsDep) -> dict[str, Any]:
    """List the models the backend offers, with what each can do and the names that stand for it.

    A key sees those that it may use; `default` is null where that is not among them.
    """
    offers: Offers = request.state.offers
    listed = await unless_disconnected(request.receive, offers.all())
    usable = [offer for offer in listed if caller.may_use(*offer.names)]
    default = settings.default_model_id
    return {
        "models": to_builtins(usable),
        "default": default if caller.may_use(*names_of(default, settings)) else None,
    }
