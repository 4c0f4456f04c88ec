"""What hides behind the opaque ids of application inference profiles, asked of the control plane once."""

import asyncio
from weakref import WeakValueDictionary

from service.bedrock.client import BedrockClient
from service.errors import UpstreamError

_FORGET_S = 60.0  # a profile that could not be looked up is asked for again after this
_MOST = 1_024  # callers choose the ids, and may make them up


class Profiles:
    """The profiles that have been asked for."""

    def __init__(self, client: BedrockClient) -> None:
        self._client = client
        self._known: dict[str, tuple[str | None, float]] = {}  # the model, and until when that is believed
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def behind(self, arn: str) -> str | None:
        """The ARN of the profile's model; None where nobody may tell, which makes it Converse's business."""
        lock = self._asking.setdefault(arn, asyncio.Lock())
        async with lock:
            model, until = self._known.get(arn, (None, 0.0))
            if until <= asyncio.get_running_loop().time():
                model = await self._ask(arn)
                self._remember(arn, model)
            return model

    def _remember(self, arn: str, model: str | None) -> None:
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[arn] = model, float("inf") if model else asyncio.get_running_loop().time() + _FORGET_S

    async def _ask(self, arn: str) -> str | None:
        try:
            profile = await self._client.get_profile(arn)
        except UpstreamError:
            return None
        match profile.get("models"):
            case [{"modelArn": str(model)}, *_]:
                return model
            case _:
                return None
