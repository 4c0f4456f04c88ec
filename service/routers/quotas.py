"""What an answer says of its key's limits, in the words of the IETF and of the clients that a surface is made for.

`RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers-11 (May 2026), structured fields.
OpenAI's and Anthropic's own names are what tools around their SDKs watch; the SDKs themselves look at `Retry-After`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from service.access.rates import WINDOW_S, Standing
from service.routers.surfaces import Surface

Headers = dict[str, str]


def quota_headers(standings: Sequence[Standing], surface: Surface | None) -> Headers:
    """Tell how a key stands with its limits; nothing of one that has none."""
    if not standings:
        return {}
    told = {
        "RateLimit-Policy": ", ".join(map(_policy, standings)),
        "RateLimit": ", ".join(map(_left, standings)),
    }
    for standing in standings:
        if surface and standing.reset_s is not None:
            told |= _OWN[surface](standing, standing.reset_s)
    return told


def _policy(standing: Standing) -> str:
    of_what = ';qu="concurrent-requests"' if standing.reset_s is None else f";w={WINDOW_S}"
    return f'"{standing.name}";q={standing.limit}{of_what}'


def _left(standing: Standing) -> str:
    until = "" if standing.reset_s is None else f";t={standing.reset_s}"
    return f'"{standing.name}";r={standing.remaining}{until}'


def _openai(standing: Standing, reset_s: int) -> Headers:
    return {
        f"x-ratelimit-limit-{standing.name}": str(standing.limit),
        f"x-ratelimit-remaining-{standing.name}": str(standing.remaining),
        f"x-ratelimit-reset-{standing.name}": f"{reset_s}s",
    }


def _anthropic(standing: Standing, reset_s: int) -> Headers:
    reset = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=reset_s)
    return {
        f"anthropic-ratelimit-{standing.name}-limit": str(standing.limit),
        f"anthropic-ratelimit-{standing.name}-remaining": str(standing.remaining),
        f"anthropic-ratelimit-{standing.name}-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


_OWN = {"openai": _openai, "anthropic": _anthropic}
