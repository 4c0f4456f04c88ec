"""The waiting line: fair between owners, whatever comes and goes."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.engine.fair_queue import FairQueue
from tests.examples import examples

OWNERS = st.sampled_from("abcd")


def in_turn(lines: list[list[int]]) -> list[int]:
    """The plainest way to say what the order should be."""
    rounds = max(map(len, lines), default=0)
    return [line[turn] for turn in range(rounds) for line in lines if turn < len(line)]


class Lines(RuleBasedStateMachine):
    """A line beside the plainest model of one: each owner's own line, in the order of their turns."""

    def __init__(self) -> None:
        super().__init__()
        self.line: FairQueue[int] = FairQueue()
        self.model: dict[str, list[int]] = {}
        self.number = 0

    @property
    def order(self) -> list[int]:
        return in_turn(list(self.model.values()))

    @rule(owner=OWNERS)
    def come(self, owner: str) -> None:
        self.number += 1
        self.model.setdefault(owner, []).append(self.number)
        place = self.line.add(owner, self.number)
        assert self.order[place - 1] == self.number

    @precondition(lambda self: self.model)
    @rule()
    def take(self) -> None:
        owner = next(iter(self.model))
        first, *rest = self.model.pop(owner)
        if rest:
            self.model[owner] = rest
        assert self.line.pop() == first

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        owner = data.draw(st.sampled_from(sorted(self.model)))
        item = data.draw(st.sampled_from(self.model[owner]))
        self.remove(owner, item)
        self.line.remove(owner, item)

    @precondition(lambda self: self.model)
    @rule()
    def let_go(self) -> None:
        newest = {own[-1]: owner for owner, own in self.model.items() if len(own) == self.longest}
        item = self.line.pop_newest()
        assert item in newest
        self.remove(newest[item], item)

    def remove(self, owner: str, item: int) -> None:
        self.model[owner].remove(item)
        if not self.model[owner]:
            del self.model[owner]

    @property
    def longest(self) -> int:
        return max(map(len, self.model.values()), default=0)

    @invariant()
    def the_order_is_the_models(self) -> None:
        assert self.line.order() == self.order
        assert len(self.line) == sum(map(len, self.model.values()))

    @invariant()
    def it_yields_to_whoever_has_fewer_even_then(self) -> None:
        for owner in "abcd":
            assert self.line.yields_to(owner) == (len(self.model.get(owner, [])) + 1 <= self.longest - 1)


TestLines = Lines.TestCase
TestLines.settings = examples(30, stateful_steps=40)


def test_one_with_fifty_waiting_does_not_stand_before_anothers_first() -> None:
    line: FairQueue[int] = FairQueue()
    for number in range(50):
        line.add("many", number)

    assert line.add("one", 99) == 2
    assert [line.pop() for _ in range(3)] == [0, 99, 1]
