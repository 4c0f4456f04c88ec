"""The store's statements, in SQL. Every method runs in the store's own thread and may block on the file.

The interpreter's lock (GIL) is released and taken again with every row that SQLite steps to, and a busy event loop
returns it late. The critical statement, the group commit, is therefore one step for any number of batches.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from service.streams.journal import IdempotencyKey
from service.streams.sqlite.follower import Changes, Query, read_changes
from service.streams.sqlite.schema import connect
from service.streams.store import Batch, Bound, Lease, Outcome, Stored, StoredState

_SWEEP = 1000  # streams that a sweep returns, as many as a process runs (`MAX_STREAMS`); the next one returns the rest
_DROP = 100  # expired streams that a sweep deletes

_WRITE = """
INSERT OR IGNORE INTO batch (stream, first, content)
SELECT s.n, b.column3, b.column4 FROM (VALUES {rows}) b
CROSS JOIN stream s ON s.id = b.column1 AND s.epoch = b.column2 AND NOT s.ended
"""

_UNTIL_STORED = 1e12
"""In `keep_until` (Unix s): the answer has to be stored in the database first. No other stream expires this late.

Statements that set `keep_until` do not change this value."""

_RENEW = """
UPDATE stream SET lease = ?, keep_until = iif(keep_until = 1e12, keep_until, ?)
WHERE (id, epoch) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)) AND NOT ended
"""

_FINISH = "UPDATE stream SET ended = 1, keep_until = iif(keep_until = 1e12, keep_until, ?) WHERE id = ? AND NOT ended"

_TAKE_OVER = """
UPDATE stream SET epoch = epoch + 1, owner = :process, lease = :until,
    keep_until = iif(keep_until = 1e12, keep_until, :keep_until)
WHERE id = :id AND NOT ended AND keep_until >= :now
AND (lease = 0 OR (NOT :released_only AND NOT lease BETWEEN :now AND :latest))
RETURNING epoch
"""

_END_REQUEST = "DELETE FROM request WHERE stream = (SELECT n FROM stream WHERE id = ? AND ended)"

_EMPTY = (
    "DELETE FROM batch WHERE stream = ?",
    "DELETE FROM record WHERE stream = ?",
    "DELETE FROM request WHERE stream = ?",
    "DELETE FROM presence WHERE stream = ?",
)
_FORGET = ("DELETE FROM binding WHERE stream = ?", "DELETE FROM stream WHERE n = ?")


class Tables:
    """The tables of one file, for one process."""

    def __init__(self, path: str, process: str, *, lease_s: float, ttl_s: float) -> None:
        self._path = path
        self._process = process
        self._lease_s = lease_s
        self._ttl_s = ttl_s
        self._database: sqlite3.Connection | None = None
        self._file = (0, 0)

    @property
    def database(self) -> sqlite3.Connection:
        """The connection.

        Raises:
            sqlite3.OperationalError: there is none.
        """
        if self._database is None:
            raise sqlite3.OperationalError("the file is not open")
        return self._database

    def open(self) -> None:
        """Connect, again after a failure."""
        self.close()
        self._database = connect(self._path)
        self._file = self._identity()

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database:
            database.close()

    def check_file(self) -> None:
        """Check that the open file is still the one at the path.

        Raises:
            sqlite3.OperationalError: the file was moved or replaced.
        """
        if self._identity() != self._file:
            raise sqlite3.OperationalError("the file was replaced")

    def begin(
        self, stream_id: str, record: bytes, request: bytes, key: IdempotencyKey | None, *, archived: bool = False
    ) -> Bound | None:
        """Create a stream."""
        now = time.time()
        keep_until = _UNTIL_STORED if archived else now + self._lease_s + self._ttl_s
        with self._transaction() as database:
            if key and (bound := self.bound(key)):
                return bound
            stream = database.execute(
                "INSERT INTO stream (id, epoch, owner, lease, keep_until) VALUES (?, 1, ?, ?, ?)",
                (stream_id, self._process, now + self._lease_s, keep_until),
            ).lastrowid
            database.execute("INSERT INTO record VALUES (?, ?)", (stream, record))
            database.execute("INSERT INTO request VALUES (?, ?)", (stream, request))
            if key:
                row = (key.caller, key.key, key.fingerprint, stream)
                database.execute("INSERT OR REPLACE INTO binding VALUES (?, ?, ?, ?)", row)
        return None

    def bound(self, key: IdempotencyKey) -> Bound | None:
        """Return the stream that a key is bound to."""
        row = self.database.execute(
            "SELECT id, fingerprint FROM binding JOIN stream ON stream = n"
            " WHERE caller = ? AND key = ? AND keep_until >= ?",
            (key.caller, key.key, time.time()),
        ).fetchone()
        return Bound(*row) if row else None

    def write(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Store batches."""
        if not any(batch.last for batch in batches):
            return self._insert(batches)
        with self._transaction() as database:
            outcomes = self._insert(batches)
            ended = [
                (time.time() + self._ttl_s, batch.stream_id)
                for batch, outcome in zip(batches, outcomes, strict=True)
                if batch.last and outcome is Outcome.KEPT
            ]
            database.executemany(_FINISH, ended)
            with _overwriting(database):
                database.executemany(_END_REQUEST, [(stream_id,) for _, stream_id in ended])
        return outcomes

    def read(self, stream_id: str) -> Stored | None:
        """Return a stream."""
        row = self.database.execute(
            "SELECT n, epoch, ended, content FROM stream JOIN record ON stream = n WHERE id = ? AND keep_until >= ?",
            (stream_id, time.time()),
        ).fetchone()
        if row is None:
            return None
        stream, epoch, ended, record = row
        batches = self.database.execute(
            "SELECT first, content FROM batch WHERE stream = ? ORDER BY first", (stream,)
        ).fetchall()
        return Stored(record, epoch, batches, f"{stream}:{batches[-1][0] if batches else 0}", bool(ended))

    def request(self, stream_id: str) -> bytes | None:
        """Return the request of a stream that has not ended."""
        row = self.database.execute(
            "SELECT content FROM stream JOIN request ON stream = n WHERE id = ? AND NOT ended", (stream_id,)
        ).fetchone()
        return row[0] if row else None

    def sample(self) -> tuple[str, bytes] | None:
        """Return the id and the record of the latest stream."""
        row: tuple[str, bytes] | None = self.database.execute(
            "SELECT id, content FROM stream JOIN record ON stream = n WHERE keep_until >= ? ORDER BY n DESC LIMIT 1",
            (time.time(),),
        ).fetchone()
        return row

    def look(self, stream_ids: Sequence[str], *, present: bool) -> Sequence[StoredState]:
        """Return the states of streams."""
        now = time.time()
        rows = self.database.execute(
            "SELECT id, n, lease, ended FROM stream JOIN record ON stream = n"
            " WHERE id IN (SELECT value FROM json_each(?)) AND keep_until >= ?",
            (json.dumps(stream_ids), now),
        ).fetchall()
        states = {name: StoredState.ENDED if ended else self._state(lease, now) for name, _, lease, ended in rows}
        if present:
            self.database.executemany(
                "INSERT OR REPLACE INTO presence VALUES (?, ?, ?)",
                [(stream, self._process, now + self._lease_s) for _, stream, _, ended in rows if not ended],
            )
        return [states.get(name, StoredState.GONE) for name in stream_ids]

    def leave(self, stream_id: str) -> None:
        """Note that this process has no readers of a stream."""
        self.database.execute(
            "DELETE FROM presence WHERE stream = (SELECT n FROM stream WHERE id = ?) AND process = ?",
            (stream_id, self._process),
        )

    def read_changes(self, query: Query) -> Changes:
        """Return what other processes have added."""
        return read_changes(self.database, self._process, query)

    def is_read_elsewhere(self, stream_id: str) -> bool:
        """Whether another process has readers."""
        found = self.database.execute(
            "SELECT 1 FROM presence WHERE stream = (SELECT n FROM stream WHERE id = ?) AND process <> ? AND until > ?",
            (stream_id, self._process, time.time()),
        )
        return found.fetchone() is not None

    def renew(self, leases: Sequence[Lease]) -> Sequence[Outcome]:
        """Renew leases of streams that have not been taken over."""
        until = time.time() + self._lease_s
        self.database.execute(_RENEW, (until, until + self._ttl_s, json.dumps([lease[:2] for lease in leases])))
        rows = self.database.execute(
            "SELECT id, epoch, cancelled FROM stream JOIN record ON stream = n"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps([lease.stream_id for lease in leases]),),
        ).fetchall()
        found = {name: (epoch, cancelled) for name, epoch, cancelled in rows}
        return [_outcome(lease, *found.get(lease.stream_id, (0, 0))) for lease in leases]

    def sweep(self) -> Sequence[tuple[str, StoredState]]:
        """Return streams without a producer, and delete expired ones.

        While any stream runs, this also writes one row: on a file that cannot be written to no process can renew its
        leases, and a process that only reads would consider every stream abandoned.
        """
        self.check_file()
        now = time.time()
        self._drop_old(now)
        self.database.execute("UPDATE probe SET at = ? WHERE EXISTS (SELECT 1 FROM stream WHERE NOT ended)", (now,))
        rows = self.database.execute(
            "SELECT id, lease FROM stream WHERE NOT ended AND NOT lease BETWEEN ? AND ? ORDER BY lease LIMIT ?",
            (now, self._latest(now), _SWEEP),
        ).fetchall()
        return [(name, self._state(lease, now)) for name, lease in rows]

    def take_over(self, stream_id: str, *, released_only: bool) -> int | None:
        """Take a stream without a producer."""
        now = time.time()
        values = {
            "process": self._process,
            "until": now + self._lease_s,
            "keep_until": now + self._lease_s + self._ttl_s,
            "id": stream_id,
            "now": now,
            "latest": self._latest(now),
            "released_only": released_only,
        }
        rows = self.database.execute(_TAKE_OVER, values).fetchall()
        return rows[0][0] if rows else None

    def release(self, stream_id: str, epoch: int) -> None:
        """Release a lease."""
        self.database.execute("UPDATE stream SET lease = 0 WHERE id = ? AND epoch = ?", (stream_id, epoch))

    def request_cancel(self, stream_id: str) -> None:
        """Note that a stream is cancelled."""
        self.database.execute("UPDATE stream SET cancelled = 1 WHERE id = ? AND NOT ended", (stream_id,))

    def unstored(self) -> list[str]:
        """Return the ids of finished streams that are not noted as stored."""
        rows = self.database.execute("SELECT id FROM stream WHERE keep_until = ? AND ended", (_UNTIL_STORED,))
        return [name for (name,) in rows.fetchall()]

    def stored(self, stream_id: str) -> None:
        """Let a stream expire."""
        self.database.execute(
            "UPDATE stream SET keep_until = ? WHERE id = ? AND keep_until = ?",
            (time.time() + self._ttl_s, stream_id, _UNTIL_STORED),
        )

    def unbind(self, key: IdempotencyKey) -> None:
        """Free a key."""
        self.database.execute(
            "DELETE FROM binding WHERE caller = ? AND key = ? AND fingerprint = ?",
            (key.caller, key.key, key.fingerprint),
        )

    def purge(self, stream_id: str, epoch: int | None) -> None:
        """Delete a stream; its row remains as long as a key may be bound to it.

        Deleted content is also overwritten, in the file and in its write-ahead log unless another process is reading
        the log. The same happens to a request when its stream ends, since a purge comes too late for it. Expired
        streams are not overwritten: that would write everything twice.
        """
        with _overwriting(self.database):
            self._purge(stream_id, epoch)
        self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _purge(self, stream_id: str, epoch: int | None) -> None:
        with self._transaction() as database:
            rows = database.execute(
                "SELECT n FROM stream WHERE id = ? AND epoch = ifnull(?, epoch)", (stream_id, epoch)
            ).fetchall()
            for row in rows:
                for statement in _EMPTY:
                    database.execute(statement, row)
                database.execute(
                    "UPDATE stream SET ended = 1, keep_until = ? WHERE n = ?", (time.time() + self._ttl_s, *row)
                )

    def _identity(self) -> tuple[int, int]:
        try:
            status = Path(self._path).stat()
        except OSError:
            return (0, 0)
        return status.st_dev, status.st_ino

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = self.database
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def _insert(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        rows = ",".join(["(?,?,?,?)"] * len(batches))
        values = [value for batch in batches for value in batch[:4]]
        if self.database.execute(_WRITE.format(rows=rows), values).rowcount == len(batches):
            return [Outcome.KEPT] * len(batches)
        return [self._outcome_of(batch) for batch in batches]

    def _outcome_of(self, batch: Batch) -> Outcome:
        """Return the outcome of one batch of a commit that did not insert all of them."""
        row = self.database.execute(
            "SELECT epoch, EXISTS (SELECT 1 FROM batch WHERE stream = n AND first = ?)"
            " FROM stream JOIN record ON stream = n WHERE id = ?",
            (batch.first, batch.stream_id),
        ).fetchone()
        if row is None:
            return Outcome.GONE
        epoch, stored = row
        if epoch != batch.epoch:
            return Outcome.REPLACED
        return Outcome.KEPT if stored else Outcome.GONE

    def _latest(self, now: float) -> float:
        """The latest plausible end of a lease: a later one was written before the clock was set back."""
        return now + 2 * self._lease_s

    def _state(self, lease: float, now: float) -> StoredState:
        if lease == 0:
            return StoredState.RELEASED
        return StoredState.LIVE if now <= lease <= self._latest(now) else StoredState.EXPIRED

    def _drop_old(self, now: float) -> None:
        old = self.database.execute("SELECT n FROM stream WHERE keep_until < ? LIMIT ?", (now, _DROP)).fetchall()
        if not old:
            return
        with self._transaction() as database:
            for statement in (*_EMPTY, *_FORGET):
                database.executemany(statement, old)


@contextmanager
def _overwriting(database: sqlite3.Connection) -> Iterator[None]:
    """Overwrite with zeros what is deleted inside the block."""
    database.execute("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        database.execute("PRAGMA secure_delete = OFF")


def _outcome(lease: Lease, epoch: int, cancelled: int) -> Outcome:
    if not epoch:
        return Outcome.GONE
    if epoch != lease.epoch:
        return Outcome.REPLACED
    return Outcome.CANCELLED if cancelled else Outcome.KEPT
