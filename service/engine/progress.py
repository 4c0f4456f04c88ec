"""Progress and rate of an answer, reported at most once a second."""

from collections.abc import Callable

from msgspec import structs

from service.deltas import Event, Progress, ReasoningDelta, TextDelta, ToolCallDelta

INTERVAL_S = 1.0
_BYTES_A_TOKEN = 4  # the usual rule for English; what a model reports replaces it
_NEARLY = 0.99  # only the end is 1


class ProgressMeter:
    """Counts one generation's tokens. `now` is always the same clock's seconds."""

    def __init__(self, max_tokens: int | None, expected_rate: float, clock: Callable[[], float]) -> None:
        self._max_tokens = max_tokens
        self._expected_rate = expected_rate
        self._clock = clock
        self._bytes = 0
        self._bytes_before = 0  # of earlier attempts
        self._reported: int | None = None
        self._first: float | None = None
        self._due = float("inf")
        self._last_tokens = 0
        self._last_at = 0.0
        self._progress = 0.0

    def begin_attempt(self) -> None:
        """Count a further attempt's tokens apart from those before it."""
        self._bytes_before, self._reported = self._bytes, None

    @property
    def attempt_tokens(self) -> int:
        """Our own count of this attempt: an estimate."""
        return -(-(self._bytes - self._bytes_before) // _BYTES_A_TOKEN)

    @property
    def total_tokens(self) -> int:
        """Our own count of all attempts."""
        return -(-self._bytes // _BYTES_A_TOKEN)

    def report(self, output_tokens: int) -> None:
        """Record Bedrock's count of this attempt so far."""
        self._reported = output_tokens

    def count(self, event: Event) -> None:
        """Count one event of the answer."""
        match event:
            case TextDelta(text=str(text)) | ReasoningDelta(text=str(text)) | ToolCallDelta(arguments=str(text)):
                self.count_text(text)

    def count_text(self, text: str) -> None:
        """Count a piece of text."""
        self._bytes += len(text) if text.isascii() else len(text.encode())

    def tick(self, now: float) -> Progress | None:
        """Return the progress if a second has passed since the last report."""
        if self._first is None:
            self._first = self._last_at = now
            self._due = now + INTERVAL_S
        return self._report(now) if now >= self._due else None

    def finish(self) -> Progress | None:
        """Return the final progress if a report is due."""
        now = self._clock()
        return structs.replace(self._report(now), progress=1.0) if now >= self._due else None

    def _report(self, now: float) -> Progress:
        before, counted = self._bytes_before // _BYTES_A_TOKEN, self.attempt_tokens
        reported = self._reported or 0
        estimated = before > 0 or reported < counted // 2  # a count in the first chunk is not a total
        tokens = before + (counted if reported < counted // 2 else reported)
        rate = tokens / (now - self._first) if self._first is not None and now > self._first else 0.0
        latest = (tokens - self._last_tokens) / (now - self._last_at) if now > self._last_at else 0.0
        self._last_tokens, self._last_at, self._due = tokens, now, now + INTERVAL_S
        if self._max_tokens:
            self._progress = max(self._progress, min(_NEARLY, tokens / self._max_tokens))
        return Progress(
            progress=round(self._progress, 4),
            output_tokens=tokens,
            tokens_per_second=round(rate, 1),
            instantaneous_rate=round(max(latest, 0.0), 1),
            is_slow=rate < self._expected_rate / 2,
            message=self._message(rate),
            estimated=estimated,
        )

    def _message(self, rate: float) -> str:
        if rate < 0.3 * self._expected_rate:
            return "The answer is coming slowly; this may take a moment."
        if rate < 0.7 * self._expected_rate:
            return "The answer is coming at a moderate pace."
        return ""
