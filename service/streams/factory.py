"""Opens the journal that `JOURNAL_URL` names."""

import asyncio
from contextlib import AbstractAsyncContextManager
from secrets import token_hex

from service.encryption import Seal
from service.streams.availability import CALL_TIMEOUT_S
from service.streams.codec import Codec
from service.streams.durable import DurableJournal
from service.streams.journal import Journal
from service.streams.memory import MemoryJournal
from service.streams.store import JournalStore, Unavailable


def open_journal(
    url: str, *, lease_s: float, ttl_s: float, memory_bytes: int, seal: Seal | None = None
) -> AbstractAsyncContextManager[Journal]:
    """Return the journal at `url`, to be entered as a context; what is stored outside the process is sealed by `seal`.

    Entering fails on a path that cannot be used. A Valkey that cannot be reached does not prevent the start: the
    journal is unavailable until it responds.

    Raises:
        SettingsError: the address cannot be used, or its streams are encrypted with another key.
    """
    if url == "memory://":
        return MemoryJournal(ttl_s=ttl_s, memory_bytes=memory_bytes)
    store = make_store(url, lease_s=lease_s, ttl_s=ttl_s)
    return DurableJournal(store, Codec(seal), lease_s=lease_s, ttl_s=ttl_s, memory_bytes=memory_bytes)


async def try_journal(url: str, *, seal: Seal | None = None) -> None:
    """Check that the journal at `url` can be used. A Valkey that cannot be reached is not an error.

    Raises:
        SettingsError: as for `open_journal`.
    """
    if url == "memory://":
        return
    store = make_store(url, lease_s=1, ttl_s=1)
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await store.open()
            Codec(seal).check_key(await store.sample())
    except (Unavailable, TimeoutError):
        pass
    finally:
        await store.close()


def make_store(url: str, *, lease_s: float, ttl_s: float) -> JournalStore:
    """Create the store that `url` names, for one process, without opening it.

    Raises:
        SettingsError: the address is invalid.
    """
    process = token_hex(8)
    if url.startswith("sqlite:///"):
        from service.streams.sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"), process, lease_s=lease_s, ttl_s=ttl_s)
    from service.streams.valkey import ValkeyStore

    return ValkeyStore(url, process, lease_s=lease_s, ttl_s=ttl_s)
