"""A traceback in the log says where, and of what kind; not what was in hand."""

from collections.abc import Callable

import pytest

from service.errors import ServiceError, UpstreamError
from service.telemetry.tracebacks import render

SECRET = "the quick brown fox"


def by_number() -> None:
    int(SECRET)


def by_key() -> None:
    _ = {"a": 1}[SECRET]


def chained() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        raise RuntimeError(SECRET) from error


def in_passing() -> None:
    try:
        int(SECRET)
    except ValueError:
        raise RuntimeError(SECRET)  # noqa: B904 - how it looks without


def grouped() -> None:
    raise ExceptionGroup(SECRET, [ValueError(SECRET), ExceptionGroup(SECRET, [KeyError(SECRET)])])


def upstream() -> None:
    raise UpstreamError("validation", SECRET, aws_message=SECRET)


def noted() -> None:
    error = ValueError(SECRET)
    error.add_note(SECRET)
    raise error


BUGS: dict[str, tuple[Callable[[], None], list[str]]] = {
    "a number": (by_number, ["ValueError"]),
    "a key": (by_key, ["KeyError"]),
    "one behind another": (chained, ["ValueError", "The above exception was the direct cause", "RuntimeError"]),
    "one during another": (in_passing, ["ValueError", "During handling", "RuntimeError"]),
    "several": (grouped, ["ExceptionGroup", "1 of 2", "ValueError", "2 of 2", "KeyError"]),
    "the upstream's": (upstream, ["service.errors.UpstreamError: validation"]),
    "one with a note": (noted, ["ValueError"]),
}


@pytest.mark.parametrize(("bug", "kinds"), BUGS.values(), ids=BUGS)
def test_a_traceback_names_places_and_kinds_and_repeats_nothing(bug: Callable[[], None], kinds: list[str]) -> None:
    told = rendered(bug)

    assert SECRET not in told
    assert f"in {bug.__name__}" in told
    assert [kind for kind in kinds if f"\n{kind}" not in told] == []


def test_what_the_system_says_and_our_own_codes_are_told() -> None:
    def away() -> None:
        raise FileNotFoundError(2, "No such file or directory", SECRET)

    def ours() -> None:
        raise ServiceError("conflict", SECRET)

    assert rendered(away).endswith("FileNotFoundError: No such file or directory")
    assert rendered(ours).endswith("service.errors.ServiceError: conflict")


def rendered(bug: Callable[[], None]) -> str:
    try:
        bug()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return render((type(error), error, error.__traceback__))
    raise AssertionError
