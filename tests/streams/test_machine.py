"""Streams under any sequence of events, against a small model."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from service.deltas import Done, Event, Start, TextDelta
from tests.streams.samples import no_words
from tests.streams.worker import Worker
from tests.waiting import eventually

LEASE_S = 0.4
TTL_S = 3.0
PATIENCE_S = 1.5  # then the model starts another stream, before an abandoned one expires
PLACES = st.integers(0, 1)


def words(events: list[Event]) -> list[str]:
    return ["end" if isinstance(event, Done) else event.text for event in events if isinstance(event, TextDelta | Done)]


class Streams(RuleBasedStateMachine):
    """One stream at a time, and two processes.

    The model: `kept` is what the present producer found when it started, `sent` what it has appended since. What a
    process publishes is a prefix of both together; when nothing happens it is the whole. `owner` is the index of the
    producer; None: it was killed. A store that was too slow on a busy machine may lose the stream if it announces that.
    """

    url = "memory://"
    shared = False

    def __init__(self) -> None:
        super().__init__()
        self.workers = [self.start_worker(), self.start_worker()]
        self.paused: set[int] = set()
        self.counted = 0

    def start_worker(self) -> Worker:
        return Worker(self.url, lease_s=LEASE_S, ttl_s=TTL_S)

    @initialize(place=PLACES)
    def begin(self, place: int) -> None:
        self.name = self.workers[place].tell("begin")
        self.owner: int | None = place
        self.followers = {place}
        self.kept = no_words()
        self.sent = no_words()
        self.ended = False
        self.silent_since: float | None = None

    def text_deltas(self) -> list[str]:
        return self.kept + self.sent

    def shown(self, place: int) -> list[str]:
        """What a process has published; each log begins with its start, and nothing follows its end."""
        events = self.workers[place].events(self.name)
        assert all(isinstance(event, Start) for event in events[:1])
        assert not any(isinstance(event, Start) for event in events[1:])
        assert "end" not in words(events)[:-1]
        return words(events)

    def shows_all(self, place: int) -> bool:
        return self.shown(place) == self.text_deltas()

    def active(self) -> set[int]:
        return self.followers - self.paused

    def producing(self) -> bool:
        return self.owner is not None and self.owner not in self.paused

    def is_lost(self) -> bool:
        return self.producing() and not self.workers[self.owner or 0].tell("resumable", self.name)

    def wait(self, claim: Callable[[], bool]) -> bool:
        """Wait for a claim to be true; False: the stream was lost."""
        asyncio.run(eventually(lambda: self.is_lost() or claim()))
        return not self.is_lost()

    @invariant()
    def no_reader_waits_for_ever(self) -> None:
        waited = self.silent_since and time.monotonic() - self.silent_since > PATIENCE_S
        if waited or self.is_lost():
            self.resume()
            self.begin(0)

    @invariant()
    def published_events_are_a_prefix_of_appended_events(self) -> None:
        for place in self.active():
            shown = self.shown(place)
            assert shown == self.text_deltas()[: len(shown)]

    # A rule checks inside whether it applies: that depends on the time, and hypothesis wants its choices not to.

    @rule(end=st.sampled_from([False] * 9 + [True]))
    def append(self, *, end: bool) -> None:
        if self.ended or not self.producing():
            return
        self.counted += 1
        word = f"{self.counted} "
        self.workers[self.owner or 0].tell("append", self.name, word, end=end)
        self.sent += [word, "end"] if end else [word]
        self.ended = end

    @rule()
    def append_what_is_stale(self) -> None:
        for place in self.active() - {self.owner}:
            self.workers[place].tell("append", self.name, "stale ")

    @rule(place=PLACES)
    def read(self, place: int) -> None:
        if place in self.paused:
            return
        if self.workers[place].tell("find", self.name):
            self.followers.add(place)
        else:
            assert self.ended or not self.shared
            self.followers.discard(place)

    @rule()
    def settle(self) -> None:
        if self.producing():
            for place in self.active():
                note(f"{place} shows {self.shown(place)} of {self.text_deltas()}")
                self.wait(partial(self.shows_all, place))

    @precondition(lambda self: self.shared)
    @rule(place=PLACES)
    def take_over(self, place: int) -> None:
        if place in self.paused or place == self.owner:
            return
        take = partial(self.workers[place].tell, "take_over", self.name)
        if self.ended or self.producing():
            assert not take()
            return
        if not self.wait(take):
            return
        self.kept = self.text_deltas()[: len(self.shown(place))]
        assert self.shown(place) == self.kept
        self.sent = []
        self.owner = place
        self.silent_since = None
        self.followers.add(place)

    @rule(place=PLACES)
    def crash(self, place: int) -> None:
        if self.ended:
            self.settle()  # else the end may be stored or not
        self.workers[place].kill()
        self.workers[place] = self.start_worker()
        self.paused.discard(place)
        self.followers.discard(place)
        if place == self.owner:
            self.owner = None
            self.silent_since = self.silent_since or time.monotonic()
            if not self.shared:
                assert not self.workers[place].tell("find", self.name)
                self.begin(place)

    @precondition(lambda self: self.shared)
    @rule(place=PLACES)
    def pause(self, place: int) -> None:
        self.settle()  # a process suspended in a commit to SQLite blocks all others: it holds the file
        self.workers[place].pause()
        self.paused.add(place)
        if place == self.owner:
            self.silent_since = time.monotonic()

    @rule()
    def resume(self) -> None:
        for place in self.paused:
            self.workers[place].resume()
        self.paused.clear()
        if self.owner is not None:
            self.silent_since = None

    @precondition(lambda self: self.shared)
    @rule(place=PLACES)
    def cancel(self, place: int) -> None:
        if place not in self.paused and self.producing() and not self.ended:
            self.workers[place].tell("request_cancel", self.name)
            self.wait(lambda: self.name in self.workers[self.owner or 0].tell("cancelled"))

    @rule()
    def expire(self) -> None:
        if not (self.ended and self.producing()):
            return
        self.settle()
        for place in {0, 1} - self.paused:
            self.wait(partial(self.has_expired, place))
        self.begin(self.owner or 0)

    def has_expired(self, place: int) -> bool:
        return not self.workers[place].tell("find", self.name)

    def teardown(self) -> None:
        for worker in self.workers:
            worker.kill()


def run(kind: str, url: str, examples: int) -> None:
    machine = type(kind, (Streams,), {"url": url, "shared": kind != "memory"})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # no shrinking: each step takes real time
            database=None,
        ),
    )


def test_streams_survive_any_order_of_events(kind_and_url: tuple[str, str]) -> None:
    run(*kind_and_url, examples=3)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_streams_survive_many_orders_of_events(kind_and_url: tuple[str, str]) -> None:
    run(*kind_and_url, examples=150)
