"""An API key as the keys file has it: its hash, and its owner's permissions.

A key is 256 random bits, so that one round of SHA-256 is enough: it cannot be guessed, and rainbow tables of such keys
are not possible. The key itself is shown once, by `artesian keys create`, and not stored.
"""

import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer, field_validator

from service.access.caller import ANONYMOUS, Caller, Scope

PREFIX = "art_"
"""Prefix of every key, so that people and secret scanners recognise one."""

_KEY_BYTES = 32
_ID_BYTES = 4
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPAN = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Bound = Annotated[int, Field(ge=1)]
Pattern = Annotated[str, Field(min_length=1, max_length=2048)]


class KeyEntry(BaseModel):
    """One entry of the file. A limit that is None or missing is unlimited."""

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
    def _check_id(cls, value: str) -> str:
        if value == ANONYMOUS.id:
            raise ValueError("is reserved for requests without a key; choose another")
        return value

    @field_validator("sha256")
    @classmethod
    def _check_hash(cls, value: str) -> str:
        if not _SHA256.fullmatch(value):
            raise ValueError("must be the SHA-256 of the key: 64 hexadecimal digits in lower case")
        return value

    @field_validator("scopes", "models")
    @classmethod
    def _check_not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:  # by `min_length` a list with an invalid member is too short as well
            raise ValueError("must have at least one member")
        return value

    @field_serializer("expires", "created", "revoked")
    def _format_time(self, value: datetime | None) -> str | None:
        return None if value is None else format_time(value)

    @property
    def caller(self) -> Caller:
        """Return the owner's permissions."""
        return Caller(
            id=self.id,
            scopes=self.scopes,
            models=self.models,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            streams=self.streams,
            max_tokens=self.max_tokens,
        )

    def invalid_reason(self, now: datetime) -> str | None:
        """Return why the key is no longer valid, or None."""
        if self.revoked is not None:
            return "This API key was revoked."
        if self.expires is not None and self.expires <= now:
            return "This API key has expired."
        return None


def format_time(parse_expiry: datetime) -> str:
    """Format a time for the keys file: RFC 3339, in UTC, whole seconds."""
    return parse_expiry.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hash_key(key: str) -> bytes:
    """Return the hash of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def new_key() -> str:
    """Generate a key."""
    return PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def new_id() -> str:
    """Generate an id for a key, which logs, limits and streams contain."""
    return f"key_{secrets.token_hex(_ID_BYTES)}"


def parse_expiry(text: str, now: datetime) -> datetime:
    """Parse the expiry of a key: a span such as `90d`, a date, or a date and time (RFC 3339; default UTC).

    Raises:
        ValueError: the form is wrong, or the time has passed.
    """
    if span := _SPAN.fullmatch(text.strip()):
        try:
            return now + timedelta(**{_UNITS[span["unit"]]: int(span["number"])})
        except OverflowError:
            raise ValueError("is too far in the future") from None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("must be a time span such as 12h, 90d or 4w, or a date such as 2027-01-31") from None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    if read <= now:
        raise ValueError("has passed")
    return read
