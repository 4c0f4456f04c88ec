"""A circuit breaker per model: opens while Bedrock keeps failing, and closes after a successful probe."""

from collections import deque
from collections.abc import Callable
from typing import Literal

WINDOW_S = 10.0
LEAST_CALLS = 20  # fewer are not evidence
FAILING = 0.5  # of the calls in the window
REST_S = 2.0  # between two probes; so calls resume within this, plus a first token, of Bedrock's recovery

State = Literal["closed", "open", "half_open"]


class Trial:
    """One call that the breaker has admitted. `probe`: it tests whether Bedrock has recovered."""

    __slots__ = ("at", "failed", "probe")

    def __init__(self, *, probe: bool) -> None:
        self.probe = probe
        self.at: float | None = None  # when its outcome was noted
        self.failed = False


class Breaker:
    """Counts calls while closed; while open, admits one probe every `REST_S` and closes when one is answered.

    A call counts once: as answered when Bedrock begins to respond, and as failed if the response is truncated later. A
    probe without any response does not block the next.
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._changed = changed
        self._trials: deque[Trial] = deque()
        self._failures = 0
        self._probe_at: float | None = None  # None: closed
        self._probe: Trial | None = None  # the latest; after the breaker has closed, the one that closed it
        self._closed_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it admits only probes."""
        return self._probe_at is not None

    @property
    def state(self) -> State:
        """The usual three states; half open: a probe is due or running."""
        if self._probe_at is None:
            return "closed"
        return "half_open" if self._probe or self._clock() >= self._probe_at else "open"

    @property
    def wait_s(self) -> float:
        """Seconds until the next call is admitted; 0: now."""
        return 0.0 if self._probe_at is None else max(0.0, self._probe_at - self._clock())

    def admit(self) -> Trial | None:
        """Admit a call; None: it is rejected."""
        if self._probe_at is None:
            return Trial(probe=False)
        if (now := self._clock()) < self._probe_at:
            return None
        self._probe_at = now + REST_S
        self._probe = Trial(probe=True)
        return self._probe

    def answered(self, trial: Trial) -> None:
        """Note that Bedrock has begun to respond to a call."""
        if self._probe_at is not None:
            if not trial.probe:
                return  # a call from before it opened
            self._close(trial)
        self._note(trial)

    def failed(self, trial: Trial) -> None:
        """Note that a call failed, whether or not it was answered before."""
        now = self._clock()
        if self._probe_at is not None:
            if trial is self._probe:
                self._probe, self._probe_at = None, now + REST_S
        elif trial is self._probe and now - self._closed_at < WINDOW_S:
            self._open()  # it was answered, and then truncated like those before it
        else:
            self._forget()
            if trial.at is None or trial.at <= now - WINDOW_S:
                self._note(trial)
            trial.failed = True
            self._failures += 1
            if len(self._trials) >= LEAST_CALLS and self._failures >= FAILING * len(self._trials):
                self._open()

    def dropped(self, trial: Trial) -> None:
        """Note that a call ended without evidence about Bedrock: if it was the probe, the next call is one."""
        if self._probe_at is not None and trial is self._probe:
            self._probe, self._probe_at = None, self._clock()

    def _note(self, trial: Trial) -> None:
        self._forget()
        trial.at = self._clock()
        self._trials.append(trial)

    def _forget(self) -> None:
        horizon = self._clock() - WINDOW_S
        while self._trials and (at := self._trials[0].at) is not None and at <= horizon:
            self._failures -= self._trials.popleft().failed

    def _open(self) -> None:
        for trial in self._trials:
            trial.at = None  # its outcome counts again if the breaker is closed by then
        self._trials.clear()
        self._failures = 0
        self._probe, self._probe_at = None, self._clock() + REST_S
        self._changed()

    def _close(self, trial: Trial) -> None:
        self._probe, self._probe_at = trial, None
        self._closed_at = self._clock()
        self._changed()
