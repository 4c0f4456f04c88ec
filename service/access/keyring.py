"""The valid keys: finds callers by the hash of a key, and reloads the keys file when it changes.

The file is checked during requests, at most ten times a second, and at once for an unknown key, which may be new. A
check is one `stat`, in a thread. A file that has become invalid changes nothing: the last valid keys remain, and an
error is logged.
"""

import asyncio
import hmac
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from service.access import keys_file
from service.access.caller import Caller
from service.access.keys import KeyEntry, hash_key
from service.errors import ServiceError
from service.settings import SettingsError

logger = logging.getLogger(__name__)

_LOOK_S = 0.1
_NO_HASH = bytes(32)

Signature = tuple[int, ...] | None
"""Identifies one state of a file; None: it does not exist."""


class Keyring:
    """The keys of one file."""

    def __init__(self, path: str) -> None:
        """Read the file.

        Raises:
            SettingsError: it is missing, empty or invalid.
        """
        self._path = path
        self._signature = self._read_signature()
        self._reported: list[str] = []  # errors of the file that have been logged
        keys = keys_file.read_some(path)
        self._looked = float("-inf")
        self._looking = asyncio.Lock()
        self._set_keys(keys)

    def _set_keys(self, keys: Sequence[KeyEntry]) -> None:
        self._by_hash = {bytes.fromhex(key.sha256): key for key in keys}
        self._by_id = {key.id: key for key in keys}

    async def find(self, key: str) -> Caller:
        """Find the owner of a key.

        Raises:
            ServiceError: `unauthenticated`: the key is unknown, revoked or expired.
        """
        if self._now() - self._looked > _LOOK_S:
            await self._check_file()
        digest = hash_key(key)
        entry = self._match(digest)
        if entry is None:
            await self._check_file()
            entry = self._match(digest)
        return _valid_caller(entry)

    async def owner(self, key_id: str) -> Caller:
        """Find the owner of a key by its id, which a ticket contains.

        Raises:
            ServiceError: `unauthenticated`: the key is unknown, revoked or expired.
        """
        if self._now() - self._looked > _LOOK_S:
            await self._check_file()
        return _valid_caller(self._by_id.get(key_id))

    def _match(self, digest: bytes) -> KeyEntry | None:
        """Find a hash. The time of the table's comparisons depends on hashes only, which a client cannot choose."""
        entry = self._by_hash.get(digest)
        stored = bytes.fromhex(entry.sha256) if entry else _NO_HASH
        return entry if hmac.compare_digest(stored, digest) else None

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _check_file(self) -> None:
        """Check the file, unless another request started to after this one was received."""
        received = self._now()
        async with self._looking:
            if self._looked <= received:
                self._looked = self._now()
                await asyncio.to_thread(self._reload)

    def _read_signature(self) -> Signature:
        try:
            status = Path(self._path).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _reload(self) -> None:
        """Read the file if it has changed."""
        signature = self._read_signature()
        if signature == self._signature:
            return
        try:
            keys = keys_file.read(self._path)
        except SettingsError as mistake:
            if not isinstance(mistake.__cause__, OSError):  # else it is read again: no revocation may be missed
                self._signature = signature
            self._log_errors(mistake.lines)
            return
        self._signature, self._reported = signature, []
        self._set_keys(keys)
        logger.warning("The keys have changed: there are %d now", len(keys))

    def _log_errors(self, lines: list[str]) -> None:
        """Log errors of the file once."""
        if lines != self._reported:
            for line in lines:
                logger.error("The keys are not changed: %s", line)
        self._reported = lines


def _valid_caller(entry: KeyEntry | None) -> Caller:
    if entry is None:
        raise ServiceError("unauthenticated", "Invalid API key.")
    if invalid_reason := entry.invalid_reason(datetime.now(UTC)):
        raise ServiceError("unauthenticated", invalid_reason)
    return entry.caller
