"""Tickets: credentials for a URL in place of a key, since URLs are logged, stored and shown.

A ticket is signed and short-lived: it starts one stream within a minute, and reads that stream only. Its nonce is the
stream's idempotency key, so that two starts with one ticket lead to the same stream.
"""

import logging
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from service.errors import ServiceError
from service.settings import Settings

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

logger = logging.getLogger(__name__)

START_S = 60.0
_OF_SEVERAL = ("valkey", "redis", "unix")  # schemes of journals that replicas share
_SALT = "artesian.ticket"
_LONGEST = 1024  # characters; ours have about 200


class Claims(Struct, frozen=True):
    """The content of a ticket: its owner, and either that it starts a stream or which one it reads."""

    caller: str
    nonce: str
    stream_id: str | None
    starts: bool
    """Whether it may still start a stream."""

    def opens(self, stream_id: str, begun_with: object) -> bool:
        """Whether the ticket reads a stream: it names the stream, or has the nonce that the stream was started with."""
        return self.stream_id == stream_id if self.stream_id else begun_with == self.nonce


class Tickets:
    """Signs tickets and verifies their signatures.

    `keep_s` is how long a stream may run and be stored: for so long a ticket can resume it. A ticket must not outlive
    the record of its nonce, so it starts streams for at most `ttl_s`.
    """

    def __init__(
        self, secret: str | None, *, ttl_s: float, longest_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.secret = secret or secrets.token_urlsafe(32)
        self.start_s = min(START_S, ttl_s)
        self._keep_s = self.start_s + longest_s + ttl_s
        self._clock = clock
        self._opened: URLSafeSerializer | None = None

    def issue(self, caller: str, stream_id: str | None = None) -> str:
        """Create a ticket."""
        content = {"c": caller, "n": secrets.token_urlsafe(16), "t": round(self._clock(), 3)}
        if stream_id:
            content["s"] = stream_id
        return str(self._serializer.dumps(content))

    def read(self, ticket: str) -> Claims:
        """Verify a ticket.

        Raises:
            ServiceError: `unauthenticated`: the signature is invalid, or it has expired.
        """
        from itsdangerous import BadSignature

        try:
            content = self._serializer.loads(ticket[:_LONGEST])
        except BadSignature:
            raise ServiceError("unauthenticated", "ticket: invalid; get one at POST /api/tickets.") from None
        age_s = self._clock() - content["t"]
        if age_s > self._keep_s:
            raise expired()
        return Claims(content["c"], content["n"], content.get("s"), starts=age_s <= self.start_s)

    @property
    def _serializer(self) -> "URLSafeSerializer":
        if self._opened is None:
            import hashlib

            from itsdangerous import URLSafeSerializer

            self._opened = URLSafeSerializer(
                self.secret, salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
            )
        return self._opened


def open_tickets(settings: Settings) -> Tickets:
    """Create the signer of this service's tickets."""
    if settings.api_keys_file and not settings.secret_key and settings.journal_url.startswith(_OF_SEVERAL):
        logger.warning("ARTESIAN_SECRET_KEY is not set: other replicas will reject the tickets of this one")
    return Tickets(settings.secret_key, ttl_s=settings.stream_ttl, longest_s=settings.request_timeout)


def expired() -> ServiceError:
    """Make the error of an expired ticket."""
    return ServiceError("unauthenticated", "ticket: expired; get another one at POST /api/tickets.")
