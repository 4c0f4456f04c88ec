"""What hides behind the opaque ids of application inference profiles, asked of the control plane once."""

import asyncio
from typing import Any

from service.bedrock.client import Client
from service.errors import UpstreamError

_FORGET_S = 60.0  # a profile that could not be looked up is asked for again after this


class Profiles:
    """The profiles that have been asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._models: dict[str, str] = {}
        self._failed: dict[str, float] = {}
        self._asking = asyncio.Lock()

    async def behind(self, arn: str) -> str | None:
        """The ARN of the profile's model; None where nobody may tell, which makes it Converse's business."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if arn not in self._models and self._failed.get(arn, 0.0) <= now:
                await self._ask(arn, now)
            return self._models.get(arn)

    async def _ask(self, arn: str, now: float) -> None:
        try:
            profile = await self._client.get_profile(arn)
        except UpstreamError:
            models: list[Any] = []
        else:
            models = profile.get("models") or []
        match models:
            case [{"modelArn": str(model)}, *_]:
                self._models[arn] = model
            case _:
                self._failed[arn] = now + _FORGET_S
