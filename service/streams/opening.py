"""From `JOURNAL_URL` to the journal it names."""

from contextlib import AbstractAsyncContextManager

from service.settings import SettingsError
from service.streams.journal import Journal
from service.streams.memory import MemoryJournal


def open_journal(url: str, *, lease_s: float, ttl_s: float, memory_bytes: int) -> AbstractAsyncContextManager[Journal]:
    """Keep streams where `url` says while the block lasts.

    Entering the block fails on a path that cannot be used; a Valkey that cannot be reached does not stop the start: the
    journal is unavailable until it can.

    Raises:
        SettingsError: the address cannot be used, and why.
    """
    if url == "memory://":
        return MemoryJournal(ttl_s=ttl_s, memory_bytes=memory_bytes)
    raise SettingsError([f"ARTESIAN_JOURNAL_URL: nothing here keeps streams at {url.split(':', 1)[0]}:// ({lease_s})"])
