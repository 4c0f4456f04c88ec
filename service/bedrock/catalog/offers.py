"""What the backend offers: the control plane's list of models, joined with what the catalogue knows of each."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from service.bedrock.catalog.model import Model
from service.bedrock.catalog.resolution import MODELS, base_id, lookup
from service.bedrock.client import BedrockClient
from service.errors import UpstreamError

logger = logging.getLogger(__name__)

FRESH_S = 300.0  # the list changes with a model's launch or end

Capabilities = dict[str, bool | None]


class Offer(Struct, frozen=True):
    """One model as a caller may ask for it. A capability that nobody has told of is None."""

    id: str
    name: str
    provider: str
    capabilities: Capabilities
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that it goes by."""
        return self.id, base_id(self.id), *self.aliases


def capabilities(model: Model) -> Capabilities:
    """Say what a model can do, on whichever API is taken for it."""
    abilities = model.converse or model.invoke
    reasoning = abilities.reasoning
    return {
        "streaming": abilities.streams or model.invoke.streams,
        "system": abilities.system,
        "tools": abilities.tools,
        "images": abilities.images,
        "documents": abilities.documents,
        "reasoning": None if reasoning is None else bool(reasoning),
        "continuation": bool(abilities.prefill or model.invoke.prefill),
    }


class Offers:
    """The list, asked for at most once in five minutes. What was last heard serves while AWS does not answer."""

    def __init__(self, client: BedrockClient, aliases: Mapping[str, str]) -> None:
        self._client = client
        self._aliases = aliases
        self._lock = asyncio.Lock()
        self._offers: list[Offer] = []
        self._asked_at = float("-inf")

    async def all(self) -> list[Offer]:
        """Return every model and inference profile that answers with text.

        Without leave to list models (`bedrock:ListFoundationModels`) it is the catalogue, less the models that ended.
        """
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at >= FRESH_S:
                self._offers = await self._ask()
                self._asked_at = now
        return self._offers

    async def get(self, name: str) -> Offer | None:
        """Find one by its id or by an alias."""
        return next((offer for offer in await self.all() if name == offer.id or name in offer.aliases), None)

    async def _ask(self) -> list[Offer]:
        try:
            models, profiles = await asyncio.gather(self._client.list_models(), self._client.list_profiles())
        except UpstreamError as error:
            logger.warning("Models could not be listed: %s", error.aws_code or error.code.name)
            return self._offers or self._named(name for model in MODELS if not model.ended for name in model.names)
        names = {row["modelId"]: row for row in models if "TEXT" in row.get("outputModalities", ["TEXT"])}
        sold = [name for name, row in names.items() if "ON_DEMAND" in row.get("inferenceTypesSupported", ["ON_DEMAND"])]
        return self._named([*sold, *(row["inferenceProfileId"] for row in profiles)], names)

    def _named(self, names: Iterable[str], rows: Mapping[str, dict[str, Any]] | None = None) -> list[Offer]:
        return [self._offer(name, (rows or {}).get(base_id(name), {})) for name in names]

    def _offer(self, name: str, row: Mapping[str, Any]) -> Offer:
        model = lookup(name)
        known: Capabilities = capabilities(model) if model else {"streaming": row.get("responseStreamingSupported")}
        return Offer(
            id=name,
            name=row.get("modelName") or (model.name if model else name),
            provider=row.get("providerName") or (model.provider if model else name.split(".", maxsplit=1)[0]),
            capabilities=known,
            aliases=tuple(alias for alias, to in self._aliases.items() if to == name),
        )
