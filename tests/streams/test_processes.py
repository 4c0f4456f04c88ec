"""Real processes that are killed, suspended and restarted."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.streams.samples import key, no_events, text_of
from tests.streams.worker import Worker
from tests.waiting import eventually

LEASE_S = 0.5

StartWorker = Callable[[], Worker]


@pytest.fixture
def start_worker(shared_url: str) -> Iterator[StartWorker]:
    """Start processes that share a journal; they end with the test."""
    hired: list[Worker] = []

    def start() -> Worker:
        hired.append(Worker(shared_url, lease_s=LEASE_S))
        return hired[-1]

    yield start
    for worker in hired:
        worker.kill()


async def test_a_killed_producers_stream_is_taken_over_with_all_published_events(start_worker: StartWorker) -> None:
    here, there = start_worker(), start_worker()
    name = here.tell("begin")
    for word in ("a", "b", "c"):
        here.tell("append", name, word)
    await eventually(lambda: len(here.events(name)) == 4)
    here.tell("append", name, "perhaps")
    here.kill()

    assert there.tell("find", name)
    await eventually(lambda: name in there.tell("abandoned"))
    assert there.tell("take_over", name)
    there.tell("append", name, "d", end=True)

    await eventually(partial(there.has_ended, name))
    assert text_of(there.events(name)) in ("abcd", "abcperhapsd")


@pytest.mark.parametrize("killed", [8, pytest.param(20, marks=pytest.mark.soak)])
async def test_processes_killed_at_any_event_lose_nothing_published(start_worker: StartWorker, killed: int) -> None:
    survivor = start_worker()
    for group in range(4):
        shown = no_events()
        for count in range(group, killed, 4):
            here = start_worker()
            name = here.tell("begin")
            assert survivor.tell("find", name)
            for n in range(count):
                here.tell("append", name, f"{n} ")
            shown[name] = here.events(name)
            here.kill()

        for name, events in shown.items():
            await eventually(partial(survivor.tell, "take_over", name))
            assert survivor.events(name)[: len(events)] == events
            survivor.tell("append", name, "end", end=True)
            await eventually(partial(survivor.has_ended, name))


async def test_a_producer_replaced_while_suspended_is_notified_and_appends_nothing(start_worker: StartWorker) -> None:
    here, there = start_worker(), start_worker()
    name = here.tell("begin")
    here.tell("append", name, "one ")
    await eventually(lambda: len(here.events(name)) == 2)
    here.pause()
    await eventually(lambda: there.tell("take_over", name))
    there.tell("append", name, "two ")
    await eventually(lambda: text_of(there.events(name)) == "one two ")

    here.resume()
    here.tell("append", name, "stale ")

    await eventually(lambda: name in here.tell("replaced"))
    there.tell("append", name, "three", end=True)
    await eventually(partial(here.has_ended, name))
    await eventually(partial(there.has_ended, name))
    assert here.events(name) == there.events(name)
    assert text_of(here.events(name)) == "one two three"


async def test_a_replaced_producer_that_appends_nothing_is_notified(start_worker: StartWorker) -> None:
    here, there = start_worker(), start_worker()
    name = here.tell("begin")
    await eventually(lambda: len(here.events(name)) == 1)
    here.pause()
    await eventually(lambda: there.tell("take_over", name))

    here.resume()

    await eventually(lambda: name in here.tell("replaced"))
    assert there.tell("replaced") == []


async def test_a_short_suspension_changes_nothing(start_worker: StartWorker) -> None:
    here, there = start_worker(), start_worker()
    name = here.tell("begin")
    here.pause()
    here.resume()
    here.tell("append", name, "one", end=True)

    await eventually(partial(here.has_ended, name))
    assert there.tell("find", name)
    assert there.events(name) == here.events(name)
    assert here.tell("replaced") == []


async def test_the_key_of_a_killed_process_finds_its_stream(start_worker: StartWorker) -> None:
    here, there = start_worker(), start_worker()
    name = here.tell("begin", key())
    await eventually(lambda: len(here.events(name)) == 1)
    here.kill()

    assert there.tell("begin", key()) == name


async def test_a_cancel_reaches_a_producer_in_another_process(start_worker: StartWorker) -> None:
    here, there = start_worker(), start_worker()
    name = here.tell("begin")
    await eventually(lambda: len(here.events(name)) == 1)

    there.tell("request_cancel", name)

    await eventually(lambda: name in here.tell("cancelled"))
