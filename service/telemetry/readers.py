"""The listener of one reader of a stream."""

from service.telemetry.metrics import MetricSet


class ReaderListener:
    """Listens to one reader."""

    __slots__ = ("_metrics",)

    def __init__(self, metrics: MetricSet, surface: str, *, resumed: bool) -> None:
        self._metrics = metrics
        metrics.reading += 1
        if resumed:
            metrics.resumed.labels(surface).inc()

    def sent(self, seconds: float) -> None:
        """Observe how long a batch took in this process."""
        self._metrics.delta_added.note(seconds)

    def left(self) -> None:
        """Decrement the number of readers."""
        self._metrics.reading -= 1
