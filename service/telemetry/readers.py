"""What is kept of one reader of a stream."""

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
        """Tally what a batch has waited for in this process."""
        self._metrics.delta_added.note(seconds)

    def left(self) -> None:
        """Count it no more."""
        self._metrics.reading -= 1
