"""The local Bedrock's gates, from the test's side: a call is held, looked at, and let go on."""

from typing import Any

from tests.harness import Json, Service
from tests.waiting import PATIENCE_S


async def call_of(service: Service, number: int = 1, **wanted: Any) -> Json:
    """Wait until an upstream call has come to a point: `state="waiting"`, `state="closed"`, `deltas=3`."""
    response = await service.bedrock.get(f"/_local/calls/{number}", params={"timeout": PATIENCE_S} | wanted)
    assert response.status_code == 200, (wanted, await service.calls())
    call: Json = response.json()
    return call


async def release(service: Service, number: int = 0, times: int | None = None) -> None:
    """Open gates: of one call or of all, so many times or for good."""
    wanted = {"call": number} | ({} if times is None else {"times": times})
    (await service.bedrock.post("/_local/release", params=wanted)).raise_for_status()
