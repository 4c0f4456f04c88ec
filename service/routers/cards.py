"""`/v1/models`: what may be asked for, in one shape that OpenAI's and Anthropic's clients both read."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from service import generation
from service.bedrock.catalog import resolution
from service.bedrock.catalog.offers import Offer, Offers
from service.bedrock.catalog.resolution import Model
from service.dialects.bounds import LARGEST
from service.dialects.models import Card, model, models
from service.errors import ServiceError
from service.http.client_disconnect import unless_disconnected
from service.http.dependencies import CallerDep, EngineDep, SettingsDep
from service.http.openapi import compat

router = APIRouter(prefix="/v1/models", tags=["OpenAI", "Anthropic"])

Json = dict[str, Any]


@router.get("", summary="List the models, for OpenAI's and Anthropic's clients", responses=compat.MODELS)
async def list_models(
    request: Request,
    settings: SettingsDep,
    caller: CallerDep,
    limit: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="Anthropic's pages; without it all are listed")
    ] = None,
    after_id: str | None = None,
    before_id: str | None = None,
) -> Json:
    """List the names that may be asked for with this key: the aliases first, then what the backend offers."""
    offers: Offers = request.state.offers
    aliased = {name: alias.id for name, alias in settings.model_aliases.items()}
    usable = {name: to for name, to in aliased.items() if caller.may_use(name, to, resolution.base_id(to))}
    listed = await unless_disconnected(request.receive, offers.all())
    cards = _cards(usable, [offer for offer in listed if caller.may_use(*offer.names)])
    return models(cards, limit=limit, after_id=after_id, before_id=before_id)


@router.get("/{model_id:path}", summary="Look at one model", responses=compat.MODEL)
async def get_model(
    request: Request, model_id: str, engine: EngineDep, settings: SettingsDep, caller: CallerDep
) -> Json:
    """Look at a model by its id, a profile's id, an ARN or an alias."""
    offers: Offers = request.state.offers
    wanted = generation.Request(model_id, ())
    target = await unless_disconnected(request.receive, engine.resolve(wanted, caller))
    if offer := await unless_disconnected(request.receive, offers.get(model_id)):
        return model(_card(model_id, resolution.lookup(offer.id), offer))
    alias = settings.model_aliases.get(model_id)
    meant = alias.id if alias else model_id
    known = resolution.lookup(meant)
    if known is None and resolution.hidden_family(meant):
        known = target.model
    if alias is None and (known is None or not (known.listed or meant.startswith("arn:"))):
        raise _unknown(model_id)
    return model(_card(model_id, known))


def _cards(aliased: dict[str, str], offers: Sequence[Offer]) -> list[Card]:
    by_id = {offer.id: offer for offer in offers}
    named = [_card(name, resolution.lookup(to), by_id.get(to)) for name, to in aliased.items()]
    return named + [_card(offer.id, resolution.lookup(offer.id), offer) for offer in offers if offer.id not in aliased]


def _card(name: str, known: Model | None, offer: Offer | None = None) -> Card:
    """Tell what is known of a model, under the name it was asked for."""
    title = offer.name if offer else known.name if known else name
    provider = offer.provider if offer else known.provider if known and known.provider else "amazon"
    return Card(
        id=name,
        name=title,
        provider=provider,
        max_input_tokens=known.context_tokens if known else None,
        max_output_tokens=known.max_output_tokens if known else None,
    )


def _unknown(model_id: str) -> ServiceError:
    names = resolution.nearest(model_id)
    nearest = f" The nearest models of the catalogue: {', '.join(names)}." if names else ""
    return ServiceError("model_not_found", f"Bedrock does not know this model.{nearest}")
