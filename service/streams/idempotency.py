"""Idempotency keys of streams that exist in this process only."""

import asyncio
from collections import OrderedDict
from typing import NamedTuple

from service.errors import InvalidRequest, ServiceError
from service.streams.cache import StreamCache
from service.streams.journal import IdempotencyKey
from service.streams.log import StreamLog


class _Bound(NamedTuple):
    stream_id: str
    fingerprint: str
    since: float


class KeyBindings:
    """The stream that each key is bound to, while the cache has the stream and for at least `ttl_s` seconds."""

    def __init__(self, cache: StreamCache, *, ttl_s: float) -> None:
        self._cache = cache
        self._ttl_s = ttl_s
        self._bound: OrderedDict[tuple[str, str], _Bound] = OrderedDict()

    def bind(self, key: IdempotencyKey, stream_id: str) -> None:
        """Bind a key to a cached stream."""
        self._bound[key.caller, key.key] = _Bound(stream_id, key.fingerprint, asyncio.get_running_loop().time())

    def unbind(self, key: IdempotencyKey) -> None:
        """Free a key."""
        self._bound.pop((key.caller, key.key), None)

    def find(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to.

        Raises:
            InvalidRequest: the key was used with another body.
            ServiceError: `gone`: the key's stream has expired.
        """
        self._forget_old()
        if not (bound := self._bound.get((key.caller, key.key))):
            return None
        check_fingerprint(key, bound.fingerprint)
        if log := self._cache.get(bound.stream_id):
            return log
        raise stream_of_key_gone(key)

    def _forget_old(self) -> None:
        """Drop keys whose stream ended (or was evicted) more than the time to live ago."""
        now = asyncio.get_running_loop().time()
        while self._bound:
            name, bound = next(iter(self._bound.items()))
            if bound.since > now - self._ttl_s:
                return
            del self._bound[name]
            if self._cache.get(bound.stream_id):  # still cached: check again later
                self._bound[name] = bound._replace(since=now)


def check_fingerprint(key: IdempotencyKey, fingerprint: str) -> None:
    """Check that a key is used with the body that it was first used with.

    Raises:
        InvalidRequest: the key was used with another body.
    """
    if key.fingerprint != fingerprint:
        raise InvalidRequest(f"{key.of}: already used with another body; use a new one.")


def stream_of_key_gone(key: IdempotencyKey) -> ServiceError:
    """Make the error for a key that outlived its stream."""
    return ServiceError("gone", f"{key.of}: its stream has expired.")
