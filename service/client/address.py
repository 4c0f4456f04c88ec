"""Where the service is, and with which key: an argument, else the environment."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # a server listens there; nobody can connect to it


def find_url(url: str | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the service's address: `url`, else `ARTESIAN_URL`, else `ARTESIAN_HOST` and `ARTESIAN_PORT`.

    Raises:
        ValueError: it is no address of a service.
    """
    found = url or environment.get("ARTESIAN_URL") or _by_host_and_port(environment)
    parts = urlsplit(found)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{found!r} is no address of a service: http://HOST:PORT is meant.")
    return found.rstrip("/")


def find_key(api_key: str | None = None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the key: `api_key`, else `ARTESIAN_API_KEY`."""
    return api_key or environment.get("ARTESIAN_API_KEY") or None


def is_loopback(url: str) -> bool:
    """Whether an address can only be this machine: no proxy leads there."""
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
