"""An API key as its file keeps it: a hash of it, and what its owner may do.

A key is 256 random bits, so that one round of SHA-256 is enough: there is no guessing, and no rainbow table of such
keys. The key itself is shown once, by `artesian keys create`, and kept nowhere.
"""

import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer, field_validator

from service.access.caller import ANONYMOUS, Caller, Scope

PREFIX = "art_"
"""What every key begins with, so that people and secret scanners know one when they see it."""

_KEY_BYTES = 32
_ID_BYTES = 4
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPAN = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Bound = Annotated[int, Field(ge=1)]
Pattern = Annotated[str, Field(min_length=1, max_length=2048)]


class KeyEntry(BaseModel):
    """One entry of the file. What is None, or not there, has no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")
    sha256: str
    scopes: tuple[Scope, ...] = ("generate", "read")
    models: tuple[Pattern, ...] = ("*",)
    requests_per_minute: Bound | None = None
    tokens_per_minute: Bound | None = None
    streams: Bound | None = None
    max_tokens: Bound | None = None
    expires: AwareDatetime | None = None
    created: AwareDatetime
    revoked: AwareDatetime | None = None

    @field_validator("id")
    @classmethod
    def _somebody(cls, value: str) -> str:
        if value == ANONYMOUS.id:
            raise ValueError("belongs to those who have no key; choose another")
        return value

    @field_validator("sha256")
    @classmethod
    def _hash(cls, value: str) -> str:
        if not _SHA256.fullmatch(value):
            raise ValueError("should be the SHA-256 of the key: 64 hexadecimal digits in small letters")
        return value

    @field_validator("scopes", "models")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:  # by `min_length` a list with a wrong member is too short as well
            raise ValueError("should have one member at least")
        return value

    @field_serializer("expires", "created", "revoked")
    def _moment(self, value: datetime | None) -> str | None:
        return None if value is None else told(value)

    @property
    def caller(self) -> Caller:
        """Who asks with this key."""
        return Caller(
            id=self.id,
            scopes=self.scopes,
            models=self.models,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            streams=self.streams,
            max_tokens=self.max_tokens,
        )

    def trouble(self, now: datetime) -> str | None:
        """Say why the key is good no longer, if so."""
        if self.revoked is not None:
            return "This API key was revoked."
        if self.expires is not None and self.expires <= now:
            return "This API key has expired."
        return None


def told(moment: datetime) -> str:
    """Write a moment as the file has it: RFC 3339, in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hashed(key: str) -> bytes:
    """Hash a key as it came."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def new_key() -> str:
    """Make a key."""
    return PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def new_id() -> str:
    """Make an id for a key: what logs, limits and streams call its owner."""
    return f"key_{secrets.token_hex(_ID_BYTES)}"


def moment(text: str, now: datetime) -> datetime:
    """Read when a key expires: a span as `90d`, a date, or a date with its time (RFC 3339; without an offset, UTC).

    Raises:
        ValueError: it is none of these, or it is past.
    """
    if span := _SPAN.fullmatch(text.strip()):
        try:
            return now + timedelta(**{_UNITS[span["unit"]]: int(span["number"])})
        except OverflowError:
            raise ValueError("is further away than a calendar goes") from None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("should be a span as 12h, 90d or 4w, or a date as 2027-01-31") from None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    if read <= now:
        raise ValueError("this time is past")
    return read
