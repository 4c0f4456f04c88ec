"""Fallback models (`FALLBACKS`) of a request, as far as its key may use them."""

import logging
from collections.abc import Sequence

from msgspec import structs

from service.access.caller import Caller
from service.bedrock.catalog import resolution
from service.bedrock.catalog.resolution import Target
from service.bedrock.rules import parameters
from service.bedrock.upstream import Upstream
from service.deltas import Status
from service.engine.continuation import Leg
from service.errors import ServiceError
from service.generation import Message, ReasoningBlock, Request
from service.settings import Settings

logger = logging.getLogger(__name__)

_INDISPENSABLE = frozenset({"tools", "output_schema"})
"""A fallback must accept these: without them the answer would be of another kind."""


def names_of(model_id: str, settings: Settings) -> tuple[str, ...]:
    """Return every name of a model: as requested, with its alias resolved, and without a profile's prefix."""
    alias = settings.model_aliases.get(model_id)
    real_id = alias.id if alias else model_id
    return tuple(dict.fromkeys((model_id, real_id, resolution.base_id(real_id))))


def allowed(model_id: str, caller: Caller, settings: Settings) -> tuple[str, ...]:
    """Return the fallbacks of a model, in order."""
    if not settings.fallbacks:
        return ()
    listed = next((found for name in names_of(model_id, settings) if (found := settings.fallbacks.get(name))), ())
    return tuple(name for name in listed if caller.may_use(*names_of(name, settings)))


class Fallbacks:
    """The remaining fallbacks of one generation."""

    def __init__(self, names: Sequence[str], asked: Leg, upstream: Upstream) -> None:
        self._left = list(names)  # of at most a few
        self._asked = asked
        self._tried = [asked.target.model_id]
        self._upstream = upstream
        self._ready: tuple[Leg, str] | None = None

    @property
    def ready(self) -> bool:
        """Whether a model that can take the request is prepared."""
        return self._ready is not None

    async def prepare(self) -> bool:
        """Prepare the next model that can take the request. False: there is none."""
        if self._ready is None and self._left:
            self._ready = await self._prepare()
        return self.ready

    async def next(self, why: str = "") -> Leg | None:
        """Return the call of the next model; its mark says `why` it is called, and without which members."""
        await self.prepare()
        if self._ready is None:
            return None
        (leg, without), self._ready = self._ready, None
        message = f"{why} Another model answers.{without}".strip()
        return structs.replace(leg, mark=Status("fallback", model_id=leg.target.model_id, message=message))

    async def _prepare(self) -> tuple[Leg, str] | None:
        while self._left:
            name = self._left.pop(0)
            try:
                if found := await self._leg(structs.replace(self._asked.request, model_id=name)):
                    return found
            except ServiceError as error:  # it takes no images, say, or no one-sided history
                logger.info("A fallback cannot take the request: %s", error.code.name, extra={"model_id": name})
        return None

    async def restore(self, model_id: str) -> Leg | None:
        """Return the call of the fallback that the previous process had reached."""
        while leg := await self.next():
            if leg.target.model_id == model_id:
                return structs.replace(leg, mark=None)
        return None

    async def _leg(self, request: Request) -> tuple[Leg, str] | None:
        target = await self._upstream.resolve(request)
        if target.model_id in self._tried:
            return None
        self._tried.append(target.model_id)
        request, dropped = adapted(request, self._asked.target, target)
        if not _INDISPENSABLE.isdisjoint(dropped):
            logger.info("A fallback does not take what was asked for", extra={"model_id": target.model_id})
            return None
        without = f" It does not take {', '.join(dropped)}." if dropped else ""
        return Leg(request, target), without


def adapted(request: Request, asked: Target, target: Target) -> tuple[Request, list[str]]:
    """Adapt a request for one model to another; the second value names the dropped members.

    Raises:
        InvalidRequest: it does not fit.
    """
    dropped: list[str] = []
    if target.family != asked.family:  # other families accept neither its own members nor its signatures
        dropped = [name for name in ("extra", "beta") if getattr(request, name)]
        messages = tuple(_without_reasoning(message) for message in request.messages)
        request = structs.replace(request, extra={}, beta=(), messages=messages)
    fitting, more = parameters.lenient(request, target)
    return fitting, dropped + more


def _without_reasoning(message: Message) -> Message:
    content = tuple(block for block in message.content if not isinstance(block, ReasoningBlock))
    return structs.replace(message, content=content) if content else message
