"""Idempotency keys of the streams that only this process knows."""

import asyncio
from collections import OrderedDict
from typing import NamedTuple

from service.errors import InvalidRequest, ServiceError
from service.streams.cache import Shelf
from service.streams.journal import IdempotencyKey
from service.streams.log import StreamLog


class _Bound(NamedTuple):
    stream_id: str
    fingerprint: str
    since: float


class Keys:
    """Which stream a key is bound to, for as long as the shelf holds the stream and `ttl_s` seconds at least."""

    def __init__(self, shelf: Shelf, *, ttl_s: float) -> None:
        self._shelf = shelf
        self._ttl_s = ttl_s
        self._bound: OrderedDict[tuple[str, str], _Bound] = OrderedDict()

    def bind(self, key: IdempotencyKey, stream_id: str) -> None:
        """Bind a key to a stream on the shelf."""
        self._bound[key.caller, key.key] = _Bound(stream_id, key.fingerprint, asyncio.get_running_loop().time())

    def unbind(self, key: IdempotencyKey) -> None:
        """Free a key."""
        self._bound.pop((key.caller, key.key), None)

    def find(self, key: IdempotencyKey) -> StreamLog | None:
        """Return the stream that a key is bound to.

        Raises:
            InvalidRequest: the key was used with another body.
            ServiceError: `gone`, the key's stream is no longer kept.
        """
        self._forget_old()
        if not (bound := self._bound.get((key.caller, key.key))):
            return None
        check_fingerprint(key, bound.fingerprint)
        if log := self._shelf.get(bound.stream_id):
            return log
        raise stream_of_key_gone(key)

    def _forget_old(self) -> None:
        """Forget keys whose stream ended (or was evicted) more than the time to live ago."""
        now = asyncio.get_running_loop().time()
        while self._bound:
            name, bound = next(iter(self._bound.items()))
            if bound.since > now - self._ttl_s:
                return
            del self._bound[name]
            if self._shelf.get(bound.stream_id):  # still kept: look again later
                self._bound[name] = bound._replace(since=now)


def check_fingerprint(key: IdempotencyKey, fingerprint: str) -> None:
    """Hold a key to the body it was first used with.

    Raises:
        InvalidRequest: the key was used with another body.
    """
    if key.fingerprint != fingerprint:
        raise InvalidRequest(f"{key.of}: it was used with another body before; use a new one.")


def stream_of_key_gone(key: IdempotencyKey) -> ServiceError:
    """Make the refusal of a key that outlived its stream."""
    return ServiceError("gone", f"{key.of}: the stream that it began is no longer kept.")
