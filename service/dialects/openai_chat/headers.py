"""The rate-limit headers of OpenAI's API."""


def rate_limit_headers(name: str, limit: int, remaining: int, reset_s: int) -> dict[str, str]:
    """Encode the state of one limit, as tools around OpenAI's SDKs read it."""
    return {
        f"x-ratelimit-limit-{name}": str(limit),
        f"x-ratelimit-remaining-{name}": str(remaining),
        f"x-ratelimit-reset-{name}": f"{reset_s}s",
    }
