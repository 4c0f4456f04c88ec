"""The rate-limit headers of Anthropic's API."""

from datetime import UTC, datetime, timedelta


def rate_limit_headers(name: str, limit: int, remaining: int, reset_s: int) -> dict[str, str]:
    """Encode the state of one limit, as tools around Anthropic's SDKs read it."""
    reset = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=reset_s)
    return {
        f"anthropic-ratelimit-{name}-limit": str(limit),
        f"anthropic-ratelimit-{name}-remaining": str(remaining),
        f"anthropic-ratelimit-{name}-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
