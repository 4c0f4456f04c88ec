"""What every producer of a process shares."""

from collections.abc import Callable
from dataclasses import dataclass, field

from service.bedrock.upstream import Upstream
from service.deltas import Done, Failed
from service.engine.admission import Slots
from service.engine.bulkhead import Lanes
from service.engine.flush_window import Pace
from service.engine.listener import Listener, Silence
from service.engine.retry import Budget
from service.engine.watchdog import Watchdog
from service.settings import Settings
from service.streams.journal import Journal
from service.streams.log import StreamLog


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts. `on_end` is told of each end that is in the log."""

    settings: Settings
    upstream: Upstream
    journal: Journal
    watchdog: Watchdog
    places: Slots
    lanes: Lanes
    budget: Budget
    pace: Pace
    on_end: Callable[[StreamLog, Done | Failed], None]
    listener: Listener = field(default_factory=Silence)
