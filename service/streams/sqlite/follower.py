"""What other processes have added to the file since the last look."""

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from service.streams.store import Appended, CancelAsked, News, Released

_ADDED = """
SELECT b.stream, b.first, b.content FROM json_each(?) f
CROSS JOIN batch b ON b.stream = json_extract(f.value, '$[0]') AND b.first > json_extract(f.value, '$[1]')
ORDER BY b.stream, b.first
"""
_GIVEN_UP = "SELECT id FROM stream WHERE n IN (SELECT value FROM json_each(?)) AND lease = 0 AND NOT ended"
_CANCELLED = "SELECT id FROM stream WHERE owner = ? AND NOT ended AND cancelled"


class Question(NamedTuple):
    """What to look for: the rows of streams with the last batch seen of each, and the file's version at that time."""

    streams: dict[str, tuple[int, int]]
    version: int | None


class Changes(NamedTuple):
    """What was new, and the file's version by then."""

    news: Sequence[News]
    version: int


class SqliteFollower:
    """Where this process stands in each stream that it follows."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[int, int]] = {}
        self._version: int | None = None
        self._changed = False

    @property
    def follows(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._streams)

    def follow(self, stream_id: str, position: str) -> None:
        """Look for what is added to a stream after `position`."""
        row, _, first = position.partition(":")
        self._streams[stream_id] = int(row), int(first)
        self.begin_anew()

    def unfollow(self, stream_id: str) -> None:
        """Look for it no more."""
        self._streams.pop(stream_id, None)

    def begin_anew(self) -> None:
        """Look at everything the next time, whether the file has changed or not."""
        self._version, self._changed = None, True

    def question(self) -> Question:
        """Say what to look for."""
        self._changed = False
        return Question(dict(self._streams), self._version)

    def learn(self, answer: Changes) -> Sequence[News]:
        """Take an answer in."""
        for item in answer.news:
            if isinstance(item, Appended) and (place := self._streams.get(item.stream_id)):
                self._streams[item.stream_id] = place[0], item.first
        if not self._changed:
            self._version = answer.version
        return answer.news


def look(database: sqlite3.Connection, process: str, question: Question) -> Changes:
    """Say what is new. While no other process has written anything it costs one look at a counter."""
    (version,) = database.execute("PRAGMA data_version").fetchone()
    if version == question.version:
        return Changes((), version)
    names = {row: name for name, (row, _) in question.streams.items()}
    added = database.execute(_ADDED, (json.dumps(list(question.streams.values())),)).fetchall()
    given_up = database.execute(_GIVEN_UP, (json.dumps(list(names)),)).fetchall()
    cancelled = database.execute(_CANCELLED, (process,)).fetchall()
    news: list[News] = [Appended(names[row], first, content) for row, first, content in added]
    news += [Released(name) for (name,) in given_up]
    news += [CancelAsked(name) for (name,) in cancelled]
    return Changes(news, version)
