"""The breaker: what opens it, what it lets through, what closes it."""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from service.engine.breaker import LEAST_CALLS, REST_S, WINDOW_S, Breaker, Trial
from tests.clock import Clock
from tests.examples import examples


def make(breaker: Breaker) -> Trial:
    """Make a call that the breaker must let through."""
    trial = breaker.admit()
    assert trial is not None
    return trial


def fail(breaker: Breaker, calls: int = 1) -> None:
    """Let calls fail, one after the other."""
    for _ in range(calls):
        breaker.failed(make(breaker))


def succeed(breaker: Breaker, calls: int = 1) -> None:
    """Let calls be answered."""
    for _ in range(calls):
        breaker.answered(make(breaker))


def opened(clock: Clock) -> Breaker:
    """An open breaker."""
    breaker = Breaker(clock)
    fail(breaker, LEAST_CALLS)
    assert breaker.state == "open"
    return breaker


def test_it_takes_twenty_calls_of_which_half_fail() -> None:
    breaker = Breaker(Clock())
    fail(breaker, 9)
    succeed(breaker, 10)
    assert not breaker.is_open

    fail(breaker)

    assert breaker.is_open


def test_fewer_than_half_do_not_open_it() -> None:
    breaker = Breaker(Clock())
    for _ in range(20):
        succeed(breaker, 3)
        fail(breaker, 2)

    assert breaker.state == "closed"


def test_what_is_more_than_ten_seconds_ago_no_longer_counts() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    fail(breaker, LEAST_CALLS - 1)
    clock.now = WINDOW_S

    fail(breaker)

    assert breaker.state == "closed"


def test_open_it_lets_one_call_through_at_a_time() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert breaker.admit() is None
    assert breaker.wait_s == REST_S

    clock.now += REST_S

    assert breaker.state == "half_open"
    assert breaker.admit() is not None
    assert breaker.admit() is None


def test_a_probe_that_is_answered_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += REST_S

    succeed(breaker)

    assert breaker.state == "closed"
    fail(breaker, 5)
    assert breaker.state == "closed"


def test_a_probe_that_fails_lets_it_rest_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += REST_S

    fail(breaker)

    assert breaker.wait_s == REST_S


def test_a_probe_that_is_answered_and_breaks_off_opens_it_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += REST_S
    probe = make(breaker)
    breaker.answered(probe)

    breaker.failed(probe)

    assert breaker.state == "open"


def test_a_probe_that_breaks_off_long_after_is_one_failure_like_any() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += REST_S
    probe = make(breaker)
    breaker.answered(probe)
    clock.now += WINDOW_S

    breaker.failed(probe)

    assert breaker.state == "closed"


def test_a_probe_that_is_given_up_makes_room_for_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += REST_S

    breaker.dropped(make(breaker))

    assert breaker.wait_s == 0


def test_a_probe_that_hangs_does_not_stand_in_the_way_of_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += REST_S
    hanging = make(breaker)
    clock.now += REST_S
    succeed(breaker)
    clock.now += 1

    breaker.failed(hanging)

    assert breaker.state == "closed"


def test_calls_from_before_it_opened_say_nothing_of_now() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    early, late = make(breaker), make(breaker)
    fail(breaker, LEAST_CALLS)
    clock.now += REST_S / 2

    breaker.answered(early)
    breaker.failed(late)

    assert breaker.wait_s == REST_S / 2


class Machine(RuleBasedStateMachine):
    """Any order of events, against a list of what happened while it was closed."""

    trials = Bundle("trials")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(self.clock, self.changed)
        self.noted: dict[Trial, tuple[float, bool]] = {}  # when its outcome came, and whether it failed
        self.heard: set[Trial] = set()
        self.last_probe = -REST_S

    def changed(self) -> None:
        """Start again: calls before the change are not counted."""
        self.noted.clear()

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, REST_S, 5.0, WINDOW_S]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds

    @rule(target=trials)
    def call(self) -> Trial:
        """Ask for leave for a call."""
        was_open = self.breaker.is_open
        trial = self.breaker.admit()
        if trial is None:
            assert was_open
            return Trial(probe=False)  # nothing that the breaker knows
        if was_open:
            assert self.clock.now - self.last_probe >= REST_S or self.clock.now == 0
            self.last_probe = self.clock.now
        return trial

    @rule(trial=trials)
    def answer(self, trial: Trial) -> None:
        """Bedrock begins to answer, where it has not yet."""
        if trial not in self.heard and not trial.failed:
            self.heard.add(trial)
            closes = self.breaker.is_open and trial.probe
            counts = closes or not self.breaker.is_open
            self.breaker.answered(trial)
            assert not (closes and self.breaker.is_open)
            if counts:
                self.noted[trial] = (self.clock.now, False)

    @rule(trial=consumes(trials))
    def fail(self, trial: Trial) -> None:
        """The call fails, before or after it was answered."""
        was_open = self.breaker.is_open
        if not was_open:
            at, _ = self.noted.get(trial, (-WINDOW_S, False))
            self.noted[trial] = (at if at > self.clock.now - WINDOW_S else self.clock.now, True)
        counted = [failed for at, failed in self.noted.values() if at > self.clock.now - WINDOW_S]
        self.breaker.failed(trial)
        if not was_open and not trial.probe:
            assert self.breaker.is_open == (len(counted) >= LEAST_CALLS and sum(counted) * 2 >= len(counted))

    @rule(trial=consumes(trials))
    def drop(self, trial: Trial) -> None:
        """The caller leaves."""
        self.breaker.dropped(trial)
        self.last_probe = min(self.last_probe, self.clock.now - REST_S)

    @precondition(lambda self: self.breaker.is_open)
    @rule()
    def come_back(self) -> None:
        """However it stands, it is closed after a rest and one call that is answered."""
        self.clock.now += REST_S
        self.breaker.answered(make(self.breaker))
        assert not self.breaker.is_open

    @invariant()
    def never_waits_longer_than_a_rest(self) -> None:
        """Service is back soon."""
        assert 0 <= self.breaker.wait_s <= REST_S


TestAnyOrder = Machine.TestCase
TestAnyOrder.settings = examples(30, stateful_steps=80)
