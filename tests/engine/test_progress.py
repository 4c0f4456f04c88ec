"""Progress: what people are told of an answer under way."""

from service.deltas import Progress, TextDelta
from service.engine.progress import ProgressMeter


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def say(meter: ProgressMeter, clock: Clock, seconds: int, tokens_a_second: int) -> list[Progress]:
    """Speak for some seconds, ten times in each."""
    told = []
    for _ in range(seconds * 10):
        clock.now += 0.1
        meter.count(TextDelta(0, "abcd" * (tokens_a_second // 10)))
        if progress := meter.tick(clock.now):
            told.append(progress)
    return told


def test_it_is_told_at_most_once_a_second() -> None:
    clock = Clock()

    assert 4 <= len(say(ProgressMeter(1000, 10, clock), clock, 5, 40)) <= 5


def test_it_never_falls_and_is_not_one_before_the_end() -> None:
    clock = Clock()

    shares = [told.progress for told in say(ProgressMeter(100, 10, clock), clock, 20, 40)]

    assert shares == sorted(shares)
    assert max(shares) < 1


def test_it_is_one_at_the_end_where_a_word_is_due() -> None:
    clock = Clock()
    meter = ProgressMeter(100, 10, clock)
    say(meter, clock, 3, 10)

    clock.now += 0.1
    too_soon = meter.finish()
    clock.now += 1
    told = meter.finish()

    assert too_soon is None
    assert told
    assert told.progress == 1


def test_rates_and_what_people_are_told() -> None:
    clock = Clock()
    brisk = say(ProgressMeter(1000, 10, clock), clock, 3, 40)[-1]
    slow = say(ProgressMeter(1000, 100, clock), clock, 3, 20)[-1]
    fair = say(ProgressMeter(1000, 100, clock), clock, 3, 50)[-1]

    assert 35 <= brisk.tokens_per_second <= 45
    assert (brisk.is_slow, brisk.message) == (False, "")
    assert slow.is_slow
    assert "slowly" in slow.message
    assert "moderate" in fair.message


def test_counts_of_the_wire_replace_our_estimate() -> None:
    clock = Clock()
    meter = ProgressMeter(1000, 10, clock)
    say(meter, clock, 1, 40)
    meter.report(77)

    (told,) = say(meter, clock, 1, 10)[-1:]

    assert (told.output_tokens, told.estimated) == (77, False)


def test_a_count_that_came_with_the_first_chunk_is_no_count() -> None:
    clock = Clock()
    meter = ProgressMeter(1000, 10, clock)
    meter.report(3)

    told = say(meter, clock, 3, 40)[-1]

    assert told.estimated
    assert told.output_tokens > 80
