"""The keys that hold just now: who asks, told by the hash of a key, and a file that may change under a running service.

The file is looked at when somebody asks, at most ten times a second, and at once for a key that is not known: it may
have been made this very moment. A look is one `stat`, in a thread. A file that has become wrong changes nothing: the
keys it last held go on, and the log says so.
"""

import asyncio
import hmac
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from service.access import keys_file
from service.access.caller import Caller
from service.access.keys import KeyEntry, hashed
from service.errors import ServiceError
from service.settings import SettingsError

logger = logging.getLogger(__name__)

_LOOK_S = 0.1
_NO_HASH = bytes(32)

Signature = tuple[int, ...] | None
"""What tells one state of a file from another; None: it is not there."""


class Keyring:
    """The keys of one file."""

    def __init__(self, path: str) -> None:
        """Read the file.

        Raises:
            SettingsError: it is not there, empty or wrong.
        """
        self._path = path
        self._signature = self._sign()
        self._told: list[str] = []  # what is wrong with the file
        keys = keys_file.read_some(path)
        self._looked = float("-inf")
        self._looking = asyncio.Lock()
        self._take(keys)

    def _take(self, keys: Sequence[KeyEntry]) -> None:
        self._by_hash = {bytes.fromhex(key.sha256): key for key in keys}
        self._by_id = {key.id: key for key in keys}

    async def find(self, key: str) -> Caller:
        """Find who asks with a key.

        Raises:
            ServiceError: `unauthenticated`, nobody does.
        """
        if self._now() - self._looked > _LOOK_S:
            await self._look()
        given = hashed(key)
        entry = self._match(given)
        if entry is None:
            await self._look()
            entry = self._match(given)
        return _good(entry)

    async def owner(self, key_id: str) -> Caller:
        """Find the owner of a key by its id, as a ticket names it.

        Raises:
            ServiceError: `unauthenticated`, there is no such key, or it is good no longer.
        """
        if self._now() - self._looked > _LOOK_S:
            await self._look()
        return _good(self._by_id.get(key_id))

    def _match(self, given: bytes) -> KeyEntry | None:
        """Find a hash. What the table's own comparisons take tells of hashes alone, which nobody can choose."""
        entry = self._by_hash.get(given)
        kept = bytes.fromhex(entry.sha256) if entry else _NO_HASH
        return entry if hmac.compare_digest(kept, given) else None

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _look(self) -> None:
        """Look at the file, unless somebody has begun to since this was asked for."""
        asked = self._now()
        async with self._looking:
            if self._looked <= asked:
                self._looked = self._now()
                await asyncio.to_thread(self._reload)

    def _sign(self) -> Signature:
        try:
            status = Path(self._path).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _reload(self) -> None:
        """Read the file if it is another one than before."""
        signature = self._sign()
        if signature == self._signature:
            return
        try:
            keys = keys_file.read(self._path)
        except SettingsError as mistake:
            if not isinstance(mistake.__cause__, OSError):  # else it is tried again: no revocation may be missed
                self._signature = signature
            self._complain(mistake.lines)
            return
        self._signature, self._told = signature, []
        self._take(keys)
        logger.warning("The keys have changed: there are %d now", len(keys))

    def _complain(self, lines: list[str]) -> None:
        """Say once what is wrong."""
        if lines != self._told:
            for line in lines:
                logger.error("The keys stay as they were: %s", line)
        self._told = lines


def _good(entry: KeyEntry | None) -> Caller:
    if entry is None:
        raise ServiceError("unauthenticated", "This API key is not known.")
    if trouble := entry.trouble(datetime.now(UTC)):
        raise ServiceError("unauthenticated", trouble)
    return entry.caller
