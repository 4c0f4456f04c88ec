"""A delta's cost stays within its budget: a slow-down is a failing test here, and not noise in a benchmark."""

import json
import sys
from contextlib import nullcontext

import pytest

from tests.speed.budget import BUDGET, Cost, cost, paths

pytestmark = pytest.mark.counts

LEEWAY = 1.02  # a bytecode more here or there between patch releases
BUDGETED = {name: Cost(**counted) for name, counted in json.loads(BUDGET.read_text(encoding="utf-8")).items()}
COUNTED_WITH = (3, 11)  # another Python has other bytecodes, and may call more or less


@pytest.mark.parametrize("name", paths())
async def test_a_delta_costs_no_more_than_it_did(name: str) -> None:
    counted, budget = await cost(paths()[name]), BUDGETED[name]

    assert counted.calls <= budget.calls * LEEWAY
    assert counted.blocks <= budget.blocks * LEEWAY + 0.1  # what is made once
    if sys.version_info[:2] == COUNTED_WITH:
        assert counted.bytecodes <= budget.bytecodes * LEEWAY


def test_every_path_has_a_budget() -> None:
    assert set(BUDGETED) == set(paths())


async def test_a_call_more_a_delta_is_seen() -> None:
    wasteful = await cost(lambda: nullcontext(lambda: [abs(n) for n in range(400)]))
    thrifty = await cost(lambda: nullcontext(lambda: [n for n in range(400)]))  # noqa: C416 - without the call

    assert wasteful.calls == pytest.approx(thrifty.calls + 1, abs=0.1)
