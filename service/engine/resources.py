"""The resources that all producers of a process share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from service.bedrock.upstream import Upstream
from service.deltas import Done, Failed
from service.engine.admission import Slots
from service.engine.bulkhead import Bulkheads
from service.engine.flush_window import FlushWindows
from service.engine.listener import Listener, NullListener
from service.engine.retry import Budget
from service.engine.watchdog import Watchdog
from service.settings import Settings
from service.streams.journal import Journal
from service.streams.log import StreamLog


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources. `on_end` is called for each end that is in the log."""

    settings: Settings
    upstream: Upstream
    journal: Journal
    watchdog: Watchdog
    places: Slots
    bulkheads: Bulkheads
    budget: Budget
    flush_windows: FlushWindows
    on_end: Callable[[StreamLog, Done | Failed], None]
    listener: Listener = field(default_factory=NullListener)
