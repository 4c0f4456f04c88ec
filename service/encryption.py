"""Encryption at rest: what leaves for a journal or a database, so that a stolen disk or a backup says nothing.

AES-256-GCM, by `cryptography`, which is imported only where a key is set. A sealed record is a mark, four bytes that
name its key, a random nonce, and the ciphertext with its tag. It opens only where it was sealed: the `scope` (one
stream, one row) has a key of its own, derived from the given one, and the `place` in it (a column, a number) is
authenticated beside the text. So rows cannot change places, and the bound of AES-GCM under random nonces (2^32 records
to a key, NIST SP 800-38D, section 8.3) is a bound on one stream: a busy service would come to it within days.
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
"""What every sealed record begins with: no MessagePack, UTF-8, JSON or zlib does."""

KEY_BYTES = 32
_NAME = slice(1, 5)
_NONCE = slice(5, 17)
_TEXT = slice(17, None)
_NONCE_BYTES = 12
_SCOPES = 1024  # derived keys that are kept at hand: about as many streams as run at once
_SEPARATORS = re.compile(r"[\s,]+")
_URL_SAFE = str.maketrans("-_", "+/")


class Unopened(ServiceError):
    """What is kept cannot be opened: the key is not here, or the record is not what was sealed in this place."""


class Changed(Unopened):
    """The key is here, and the record is not what was encrypted in this place: it is damaged."""

    def __init__(self) -> None:
        super().__init__("overloaded", "What is stored here was changed or moved since it was encrypted.")

    @property
    def retryable(self) -> bool:
        """No: only a backup repairs it."""
        return False


class Seal(Protocol):
    """Encrypts what is kept, and decrypts it again."""

    def close(self, plain: bytes, scope: str, place: str) -> bytes:
        """Encrypt a record of a scope (one stream, one row) for its place there."""

    def open(self, kept: bytes, scope: str, place: str) -> bytes:
        """Decrypt it.

        Raises:
            Unopened: it cannot be.
        """


class NoSeal:
    """Keeps what is said as it is; what was encrypted stays unread, and is called so."""

    def close(self, plain: bytes, scope: str, place: str) -> bytes:  # noqa: ARG002 - it is for whoever encrypts
        """Leave it."""
        return plain

    def open(self, kept: bytes, scope: str, place: str) -> bytes:  # noqa: ARG002 - as above
        """Leave it.

        Raises:
            Unopened: it is encrypted.
        """
        if kept[:1] == MARK:
            raise no_key()
        return kept


class KeySeal:
    """Seals with the first of several keys, and opens with whichever was used."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        from cryptography.hazmat.primitives.ciphers import aead

        self._keys = {_name(key): key for key in keys}
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

    def open(self, kept: bytes, scope: str, place: str) -> bytes:
        """Decrypt a record; one that was kept before there was a key is left as it is.

        Raises:
            Unopened: its key is not among ours, or it was changed or moved.
        """
        if kept[:1] != MARK:
            return kept
        from cryptography.exceptions import InvalidTag

        if kept[_NAME] not in self._keys:
            raise no_key()
        try:
            return self._cipher(kept[_NAME], scope).decrypt(kept[_NONCE], kept[_TEXT], place.encode())
        except (InvalidTag, ValueError):  # the second, of what is too short to hold a tag
            raise Changed from None


def no_key() -> Unopened:
    """Say that the key is missing. Another replica may have it, so it is worth another try."""
    return Unopened(
        "overloaded", "What is kept here is encrypted with a key that is not in ARTESIAN_ENCRYPTION_KEY.", retry_after=5
    )


def open_seal(encryption_key: str | None) -> Seal:
    """Make the seal that `ENCRYPTION_KEY` asks for."""
    return KeySeal(read_keys(encryption_key)) if encryption_key else NoSeal()


def read_keys(encryption_key: str) -> list[bytes]:
    """Read the keys: each is base64 of 32 bytes, and commas stand between them.

    Raises:
        ValueError: one of them is none. The sentence does not repeat it.
    """
    keys = [_key(written, number) for number, written in enumerate(filter(None, _SEPARATORS.split(encryption_key)), 1)]
    if not keys:
        raise ValueError("should be base64 of 32 bytes, as `openssl rand -base64 32` makes them")
    return keys


def _key(written: str, number: int) -> bytes:
    try:
        key = b64decode(written.translate(_URL_SAFE) + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        which = f"key {number} " if number > 1 else ""
        raise ValueError(f"{which}should be base64 of 32 bytes, as `openssl rand -base64 32` makes them")
    return key


def _name(key: bytes) -> bytes:
    """Name a key by four bytes that tell nothing of it."""
    return hashlib.sha256(b"artesian: the name of a key: " + key).digest()[:4]
