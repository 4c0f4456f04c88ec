"""Usage of one generation: tokens of all attempts, prompts charged to its key, and times."""

from collections.abc import Callable

from msgspec import structs

from service.deltas import Metrics, Timing, Usage

PromptEstimate = Callable[[], int]
"""Estimates the input tokens of one call."""


class GenerationUsage:
    """The usage of one generation. Times are the loop's seconds."""

    def __init__(self, clock: Callable[[], float], region: str | None) -> None:
        self._clock = clock
        self._region = region
        self._began = clock()
        self._first: float | None = None
        self._waited_s = 0.0
        self._earlier: Usage | None = None
        self._usage: Usage | None = None  # of the current attempt
        self._timing = Timing()
        self._prompt: PromptEstimate | None = None  # of a call that Bedrock has accepted and that is not charged yet
        self._charged = 0
        self._accepted = False
        self.sent = False
        """Whether a call may have reached Bedrock."""
        self.unknown_kinds: set[str] = set()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request arrived."""
        return self._clock() - self._began

    def waited(self, since: float) -> float:
        """Count the time since `since` as spent waiting; return the current time."""
        now = self._clock()
        self._waited_s += now - since
        return now

    def first_token(self) -> None:
        """Record the time of the first token."""
        if self._first is None:
            self._first = self._clock()

    def begin(self) -> None:
        """Begin an attempt."""
        self._usage = Usage()

    def accept(self, prompt: PromptEstimate) -> None:
        """Note that Bedrock has accepted the current call; `prompt` estimates its input if Bedrock reports none."""
        self.sent = True
        self._prompt = prompt

    def refuse(self) -> None:
        """Note that Bedrock refused the current call inside an accepted response."""
        self._prompt = None

    @property
    def charged_input(self) -> int | None:
        """Input tokens of all accepted calls. None: Bedrock accepted none."""
        return self._charged if self._accepted else None

    def use(self, usage: Usage) -> None:
        """Record the usage that Bedrock reports for this attempt."""
        self._usage = (self._usage or Usage()).merged(usage)

    def time(self, timing: Timing) -> None:
        """Record the times that Bedrock reports."""
        self._timing = timing

    def unknown(self, kind: str) -> None:
        """Record an unknown kind of chunk."""
        self.unknown_kinds.add(kind)

    def finished(self) -> None:
        """Close a complete attempt: Bedrock's count is complete."""
        self._charge()
        self._close(self._usage or Usage())

    def cut(self, counted_tokens: int) -> None:
        """Close an interrupted attempt, if one is open; our count replaces what Bedrock did not report.

        An early count (Claude's first chunk reports 1 to 8 output tokens) is not the total.
        """
        self._charge()
        usage, self._usage = self._usage, None
        if usage is None or (counted_tokens == 0 and usage == Usage()):
            return
        output = max(counted_tokens, usage.output_tokens or 0)
        self._close(structs.replace(usage, output_tokens=output, total_tokens=None, estimated=True))

    def lose(self) -> None:
        """Close an attempt that was cancelled for another: Bedrock bills it and does not report its output."""
        self._charge()
        self._close(structs.replace(self._usage or Usage(), total_tokens=None, estimated=True))

    def add(self, other: "GenerationUsage", *, lost: bool = False) -> None:
        """Add a second call that failed, or was cancelled for the one under way. Adding it again changes nothing."""
        other._charge()  # noqa: SLF001 - of its own kind
        self._take_charges(other)
        usage, other._usage = other._usage or Usage(), None  # noqa: SLF001
        if lost or usage != Usage():
            usage = structs.replace(usage, total_tokens=None, estimated=True)
            self._earlier = usage if self._earlier is None else self._earlier.plus(usage)

    def adopt(self, other: "GenerationUsage") -> None:
        """Make a second call the current attempt."""
        self._take_charges(other)
        self._prompt = other._prompt  # noqa: SLF001 - of its own kind
        self._usage, self._timing = other._usage or Usage(), other._timing  # noqa: SLF001 - of its own kind
        self._first = self._first if other._first is None else other._first  # noqa: SLF001
        self.unknown_kinds |= other.unknown_kinds

    def _take_charges(self, other: "GenerationUsage") -> None:
        self.sent |= other.sent
        self._accepted |= other._accepted  # noqa: SLF001 - of its own kind
        self._charged += other._charged  # noqa: SLF001
        other._charged = 0  # noqa: SLF001

    def _charge(self) -> None:
        """Charge the input of the current call: as Bedrock reported it, else as estimated."""
        prompt, self._prompt = self._prompt, None
        usage = self._usage or Usage()
        if prompt is None and usage.input_tokens is None:
            return
        self._accepted = True
        counted = prompt() if prompt and usage.input_tokens is None else usage.input_tokens or 0
        self._charged += counted + (usage.cache_write_tokens or 0)

    def _close(self, usage: Usage) -> None:
        self._earlier = usage if self._earlier is None else self._earlier.plus(usage)
        self._usage = None

    @property
    def total(self) -> Usage:
        """The tokens of all attempts."""
        return self._earlier or Usage()

    def metrics(self, attempts: int, model_id: str) -> Metrics:
        """Return the metrics at the end."""
        elapsed = self.elapsed_s
        return Metrics(
            time_to_first_token=None if self._first is None else round(self._first - self._began, 6),
            latency=round(elapsed, 6),
            gateway_time=round(max(elapsed - self._waited_s, 0.0), 6),
            bedrock_latency_ms=self._timing.latency_ms,
            bedrock_first_byte_ms=self._timing.first_byte_ms,
            attempts=attempts,
            region=self._region,
            model_id=model_id,
        )
