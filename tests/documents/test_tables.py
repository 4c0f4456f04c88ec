"""The tables of docs/ that are computed are as they would be computed now."""

from pathlib import Path

import pytest

from bench.sizing import Need, count, figures, needs, size
from tests.documents.tables import computed, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_computed_table_is_up_to_date(page: Path) -> None:
    assert page.read_text("utf-8") == computed(page), "`.venv/bin/python -m tests.documents.tables` writes it anew"


def test_twice_the_streams_take_twice_of_everything() -> None:
    given = figures()
    one, two = Need(1_000_000, given), Need(2_000_000, given)

    for what in ("deltas", "starts", "entries", "packets", "bits", "journal_bytes", "cores_of_deltas"):
        assert getattr(two, what) == pytest.approx(2 * getattr(one, what))
    assert two.processes == pytest.approx(2 * one.processes, abs=1)


def test_the_page_holds_every_figure_that_is_reckoned_with() -> None:
    read: set[str] = set()

    class Watched(dict[str, float]):
        def __getitem__(self, name: str) -> float:
            read.add(name)
            return super().__getitem__(name)

    need = Need(10_000, Watched(figures()))
    for what in ("hosts", "memory_bytes", "bits", "shards"):
        assert getattr(need, what) > 0

    assert read | {"tokens_per_s"} == set(figures())


def test_a_process_has_no_more_streams_than_it_may() -> None:
    light = {**figures(), "delta_us": 0.1, "request_ms": 0.1}

    assert Need(10_000, light).processes == 10_000 / light["max_streams"]


def test_a_page_without_a_figure_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(KeyError, match="deltas_per_s"):
        _ = Need(1, figures("| `answer_s` | 20 | s | |")).deltas


@pytest.mark.parametrize(
    ("number", "written"), [(0, "0"), (0.754, "0.75"), (14.6, "15"), (22_345, "22,000"), (3.64e6, "3.6 million")]
)
def test_a_number_is_no_more_exact_than_it_is_known(number: float, written: str) -> None:
    assert count(number) == written


def test_a_size_has_its_unit() -> None:
    assert [size(999), size(1.26e9), size(8.2e12, "bit/s")] == ["999 B", "1.3 GB", "8.2 Tbit/s"]


def test_a_number_of_ones_own_is_a_table_too() -> None:
    assert "250,000 streams" in needs([250_000])
