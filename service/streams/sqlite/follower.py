"""Finds what other processes have added to the file since the last look."""

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from service.streams.store import Appended, CancelRequested, News, Released

_ADDED = """
SELECT b.stream, b.first, b.content FROM json_each(?) f
CROSS JOIN batch b ON b.stream = json_extract(f.value, '$[0]') AND b.first > json_extract(f.value, '$[1]')
ORDER BY b.stream, b.first
"""
_RELEASED = "SELECT id FROM stream WHERE n IN (SELECT value FROM json_each(?)) AND lease = 0 AND NOT ended"
_CANCELLED = "SELECT id FROM stream WHERE owner = ? AND NOT ended AND cancelled"


class Query(NamedTuple):
    """What to look for: the rows of streams with the last batch seen of each, and the file's version at that time."""

    streams: dict[str, tuple[int, int]]
    version: int | None


class Changes(NamedTuple):
    """The news, and the file's version when they were read."""

    news: Sequence[News]
    version: int


class SqliteFollower:
    """Position of this process in each stream that it follows."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[int, int]] = {}
        self._version: int | None = None
        self._changed = False

    @property
    def follows(self) -> bool:
        """Whether any stream is followed."""
        return bool(self._streams)

    def follow(self, stream_id: str, position: str) -> None:
        """Report what is added to a stream after `position`."""
        row, _, first = position.partition(":")
        self._streams[stream_id] = int(row), int(first)
        self.reset()

    def unfollow(self, stream_id: str) -> None:
        """Report a stream no longer."""
        self._streams.pop(stream_id, None)

    def reset(self) -> None:
        """Read everything the next time, whether the file has changed or not."""
        self._version, self._changed = None, True

    def query(self) -> Query:
        """Return what to look for."""
        self._changed = False
        return Query(dict(self._streams), self._version)

    def apply(self, changes: Changes) -> Sequence[News]:
        """Advance the positions, and return the news."""
        for item in changes.news:
            if isinstance(item, Appended) and (place := self._streams.get(item.stream_id)):
                self._streams[item.stream_id] = place[0], item.first
        if not self._changed:
            self._version = changes.version
        return changes.news


def read_changes(database: sqlite3.Connection, process: str, query: Query) -> Changes:
    """Return the news. If no other process has written to the file, this reads one counter."""
    (version,) = database.execute("PRAGMA data_version").fetchone()
    if version == query.version:
        return Changes((), version)
    names = {row: name for name, (row, _) in query.streams.items()}
    added = database.execute(_ADDED, (json.dumps(list(query.streams.values())),)).fetchall()
    released = database.execute(_RELEASED, (json.dumps(list(names)),)).fetchall()
    cancelled = database.execute(_CANCELLED, (process,)).fetchall()
    news: list[News] = [Appended(names[row], first, content) for row, first, content in added]
    news += [Released(name) for (name,) in released]
    news += [CancelRequested(name) for (name,) in cancelled]
    return Changes(news, version)
