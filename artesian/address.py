"""The URL and the API key of the service: an argument, else the environment."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # addresses to listen on, not to connect to


def find_url(url: str | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the service's URL: `url`, else `ARTESIAN_URL`, else `ARTESIAN_HOST` and `ARTESIAN_PORT`.

    Raises:
        ValueError: it is not an http or https URL.
    """
    found = url or environment.get("ARTESIAN_URL") or _by_host_and_port(environment)
    parts = urlsplit(found)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f'Invalid ARTESIAN_URL "{found}": include the scheme, e.g. http://127.0.0.1:8000.')
    return found.rstrip("/")


def find_key(api_key: str | None = None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the key: `api_key`, else `ARTESIAN_API_KEY`."""
    return api_key or environment.get("ARTESIAN_API_KEY") or None


def is_loopback(url: str) -> bool:
    """Whether a URL can only be this machine: it is then called without a proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _by_host_and_port(environment: Mapping[str, str]) -> str:
    host = environment.get("ARTESIAN_HOST") or "127.0.0.1"
    host = _ANYWHERE.get(host, host)
    port = environment.get("ARTESIAN_PORT") or "8000"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
