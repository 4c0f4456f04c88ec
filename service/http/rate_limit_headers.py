"""The headers of a key's limits: the IETF's on every API, and a dialect's own.

`RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers-11 (May 2026), structured fields.
Tools around OpenAI's and Anthropic's SDKs read their own headers; the SDKs themselves read `Retry-After`.
"""

from collections.abc import Sequence

from service.access.rates import WINDOW_S, LimitState
from service.dialects.table import Dialect

Headers = dict[str, str]


def rate_limit_headers(standings: Sequence[LimitState], dialect: Dialect) -> Headers:
    """Encode the state of a key's limits; empty for a key without limits."""
    if not standings:
        return {}
    headers = {
        "RateLimit-Policy": ", ".join(map(_policy, standings)),
        "RateLimit": ", ".join(map(_rest, standings)),
    }
    for standing in standings:
        if dialect.rate_limit_headers and standing.reset_s is not None:
            headers |= dialect.rate_limit_headers(standing.name, standing.limit, standing.remaining, standing.reset_s)
    return headers


def _policy(standing: LimitState) -> str:
    unit = ';qu="concurrent-requests"' if standing.reset_s is None else f";w={WINDOW_S}"
    return f'"{standing.name}";q={standing.limit}{unit}'


def _rest(standing: LimitState) -> str:
    reset = "" if standing.reset_s is None else f";t={standing.reset_s}"
    return f'"{standing.name}";r={standing.remaining}{reset}'
