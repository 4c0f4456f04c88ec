"""Encryption at rest of what is stored in a journal or a database, against stolen disks and backups.

AES-256-GCM, by `cryptography`, which is imported only if a key is set. A sealed record is a mark, four bytes that
identify its key, a random nonce, and the ciphertext with its tag. It can be opened only where it was sealed: the
`scope` (one stream, one row) has a key of its own, derived from the configured one, and the `place` in it (a column, a
number) is authenticated with the text. So rows cannot be swapped, and the limit of AES-GCM with random nonces (2^32
records to a key, NIST SP 800-38D, section 8.3) applies to one stream: for a whole service it would be reached within
days.
"""

import binascii
import hashlib
import hmac
import re
import secrets
from base64 import b64decode
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from service.errors import ServiceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK = b"\xc1"
"""Prefix of every sealed record; no MessagePack, UTF-8, JSON or zlib data starts with it."""

KEY_BYTES = 32
_NAME = slice(1, 5)
_NONCE = slice(5, 17)
_TEXT = slice(17, None)
_NONCE_BYTES = 12
_KEY_NAME = b"artesian: the name of a key: "  # hashed with a key; four bytes of the hash identify it
_SCOPES = 1024  # derived keys that are cached: about as many streams as run concurrently
_SEPARATORS = re.compile(r"[\s,]+")
_URL_SAFE = str.maketrans("-_", "+/")


class Unopened(ServiceError):
    """A record cannot be decrypted: its key is not configured, or it is not what was sealed in this place."""


class Changed(Unopened):
    """The key is configured, but the record is not what was encrypted in this place: it is damaged."""

    def __init__(self) -> None:
        super().__init__("overloaded", "The stored data was changed or moved since it was encrypted.")

    @property
    def retryable(self) -> bool:
        """False: only a backup repairs it."""
        return False


class Seal(Protocol):
    """Encrypts records and decrypts them."""

    def close(self, plain: bytes, scope: str, place: str) -> bytes:
        """Encrypt a record of a scope (one stream, one row) for its place there."""

    def open(self, stored: bytes, scope: str, place: str) -> bytes:
        """Decrypt a record.

        Raises:
            Unopened: it cannot be decrypted.
        """


class NoSeal:
    """Stores records unencrypted, and refuses encrypted ones."""

    def close(self, plain: bytes, scope: str, place: str) -> bytes:  # noqa: ARG002 - the other seal needs them
        """Return the record."""
        return plain

    def open(self, stored: bytes, scope: str, place: str) -> bytes:  # noqa: ARG002 - as above
        """Return the record.

        Raises:
            Unopened: it is encrypted.
        """
        if stored[:1] == MARK:
            raise missing_key()
        return stored


class KeySeal:
    """Encrypts with the first of several keys, and decrypts with the one that was used."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        from cryptography.hazmat.primitives.ciphers import aead

        self._keys = {hashlib.sha256(_KEY_NAME + key).digest()[:4]: key for key in keys}
        self._first = next(iter(self._keys))

        @lru_cache(maxsize=_SCOPES)
        def cipher(name: bytes, scope: str) -> "AESGCM":
            return aead.AESGCM(hmac.digest(self._keys[name], scope.encode(), "sha256"))

        self._cipher = cipher

    def close(self, plain: bytes, scope: str, place: str) -> bytes:
        """Encrypt a record."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher(self._first, scope).encrypt(nonce, plain, place.encode())
        return b"%b%b%b%b" % (MARK, self._first, nonce, sealed)

    def open(self, stored: bytes, scope: str, place: str) -> bytes:
        """Decrypt a record; one that was stored unencrypted is returned as it is.

        Raises:
            Unopened: its key is not configured, or it was changed or moved.
        """
        if stored[:1] != MARK:
            return stored
        from cryptography.exceptions import InvalidTag

        if stored[_NAME] not in self._keys:
            raise missing_key()
        try:
            return self._cipher(stored[_NAME], scope).decrypt(stored[_NONCE], stored[_TEXT], place.encode())
        except (InvalidTag, ValueError):  # ValueError: too short for a tag
            raise Changed from None


def missing_key() -> Unopened:
    """Make the error of a missing key. Another replica may have it, so it can be retried."""
    return Unopened(
        "overloaded", "The stored data is encrypted with a key that is not in ARTESIAN_ENCRYPTION_KEY.", retry_after=5
    )


def open_seal(encryption_key: str | None) -> Seal:
    """Create the seal for the setting `ENCRYPTION_KEY`."""
    return KeySeal(read_keys(encryption_key)) if encryption_key else NoSeal()


def read_keys(encryption_key: str) -> list[bytes]:
    """Parse the keys: each is base64 of 32 bytes, separated by commas.

    Raises:
        ValueError: one of them is invalid. The message does not repeat it.
    """
    keys = [_key(written, number) for number, written in enumerate(filter(None, _SEPARATORS.split(encryption_key)), 1)]
    if not keys:
        raise ValueError("must be base64 of 32 bytes, as `openssl rand -base64 32` makes them")
    return keys


def _key(written: str, number: int) -> bytes:
    try:
        key = b64decode(written.translate(_URL_SAFE) + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        which = f"key {number} " if number > 1 else ""
        raise ValueError(f"{which}must be base64 of 32 bytes, as `openssl rand -base64 32` makes them")
    return key
