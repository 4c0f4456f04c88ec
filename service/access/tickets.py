"""Tickets: what stands in an address in place of a key, since an address is logged, kept and shown.

A ticket is signed and not secret for long: it starts one stream within a minute, and opens that one stream alone. Its
nonce is the stream's idempotency key, so that whoever starts it twice comes to the same stream.
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
_OF_SEVERAL = ("valkey", "redis", "unix")  # journals that replicas share
_SALT = "artesian.ticket"
_LONGEST = 1024  # characters; ours have some 200


class Claims(Struct, frozen=True):
    """What a ticket says: whose it is, and either that it starts a stream or which one it reads."""

    caller: str
    nonce: str
    stream_id: str | None
    starts: bool
    """Whether the time in which it may start a stream has not run out."""

    def opens(self, stream_id: str, begun_with: object) -> bool:
        """Whether it is the ticket of a stream, which was begun with the ticket of that nonce."""
        return self.stream_id == stream_id if self.stream_id else begun_with == self.nonce


class Tickets:
    """Signs tickets, and reads those that were signed with the same secret.

    `keep_s` is how long a stream may run and be kept: so long a ticket is good for coming back. A ticket must not
    outlive what is known of its nonce, so it starts streams for no longer than `ttl_s` either.
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
        """Make a ticket."""
        content = {"c": caller, "n": secrets.token_urlsafe(16), "t": round(self._clock(), 3)}
        if stream_id:
            content["s"] = stream_id
        return str(self._serializer.dumps(content))

    def read(self, ticket: str) -> Claims:
        """Read a ticket.

        Raises:
            ServiceError: `unauthenticated`, it is none of ours, or it has expired.
        """
        from itsdangerous import BadSignature

        try:
            content = self._serializer.loads(ticket[:_LONGEST])
        except BadSignature:
            raise ServiceError("unauthenticated", "ticket: this is not a ticket of this service.") from None
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
    """Make what signs this service's tickets."""
    if settings.api_keys_file and not settings.secret_key and settings.journal_url.startswith(_OF_SEVERAL):
        logger.warning("ARTESIAN_SECRET_KEY is not set: other replicas will refuse the tickets of this one")
    return Tickets(settings.secret_key, ttl_s=settings.stream_ttl, longest_s=settings.request_timeout)


def expired() -> ServiceError:
    """Make the refusal of a ticket whose time has run out."""
    return ServiceError("unauthenticated", "ticket: it has expired; ask for another one at POST /api/tickets.")
