"""A clock that the test sets."""


class Clock:
    """Tells the time that it was set to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
