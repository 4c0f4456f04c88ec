"""Faults of a database: it is unavailable, or a row is damaged."""

import logging
from collections import OrderedDict

from service.errors import ServiceError

logger = logging.getLogger(__name__)

_REMEMBERED = 1000  # damaged rows that are logged once; beyond that the oldest may be logged again


class DatabaseUnavailable(ServiceError):
    """503: the database cannot do its work now. `reason` is for the log and has no stored value."""

    def __init__(self, reason: str) -> None:
        super().__init__("overloaded", "The database is unavailable. Retry in a few seconds.", retry_after=5)
        self.reason = reason


class DamagedRow(ServiceError):
    """503 without a retry: one row cannot be read. All other rows are served."""

    def __init__(self, table: str, row_id: str) -> None:
        kind = _KINDS[table]
        super().__init__("overloaded", f"The stored {kind} {row_id} is damaged and cannot be read. Others can be read.")
        self.table = table
        self.row_id = row_id

    @property
    def retryable(self) -> bool:
        """False: only a backup repairs it."""
        return False


_KINDS = {"conversations": "conversation", "messages": "message", "responses": "response"}

_named: OrderedDict[tuple[str, str], None] = OrderedDict()


def name_damaged(damaged: DamagedRow) -> None:
    """Log the table and the id of a damaged row, once in the life of the process."""
    row = (damaged.table, damaged.row_id)
    if row in _named:
        return
    _named[row] = None
    if len(_named) > _REMEMBERED:
        _named.popitem(last=False)
    why = type(damaged.__cause__).__name__ if damaged.__cause__ else "unreadable"
    logger.error("A stored row is damaged and skipped: table %s, id %s (%s)", *row, why)


class Outage:
    """The failures of one background task: one log line at the first, one at recovery, and a growing pause.

    `consequence` is a sentence about what does not happen meanwhile, `recovery` one about what happens again.
    """

    def __init__(self, consequence: str, recovery: str, *, first_pause_s: float, longest_pause_s: float) -> None:
        self._consequence = consequence
        self._recovery = recovery
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._pause_s = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the last attempt failed."""
        return self._pause_s > 0

    def failed(self, error: ServiceError) -> float:
        """Note a failed attempt; return the seconds before the next one."""
        if not self.lasts:
            reason = error.reason if isinstance(error, DatabaseUnavailable) else error.message
            logger.warning("%s (%s)", self._consequence, reason)
        self._pause_s = min(self._longest_pause_s, max(self._first_pause_s, self._pause_s * 2))
        return self._pause_s

    def over(self) -> None:
        """Note a successful attempt."""
        if self.lasts:
            self._pause_s = 0.0
            logger.info("%s", self._recovery)
