"""A waiting line that is fair between those who wait in it: each in turn, first come first served within one."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairLine(Generic[T]):
    """Who waits, by whose they are. `owners` stand in the order of their turns; one with fifty things has one turn.

    Everything is O(1) but for a place, which looks at each owner, and for the order, which looks at everybody once.
    """

    def __init__(self) -> None:
        self._owners: OrderedDict[str, OrderedDict[T, None]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, owner: str, item: T) -> int:
        """Let something wait at the end of its owner's own line; return its place, counted from 1."""
        own = self._owners.setdefault(owner, OrderedDict())
        own[item] = None
        self._length += 1
        return self._last_place(owner, len(own))

    def _last_place(self, owner: str, rank: int) -> int:
        """Count who goes before the last of an owner's line: of each other owner as many as that owner has turns."""
        before, place = True, rank
        for other, own in self._owners.items():
            if other == owner:
                before = False
            else:
                place += min(len(own), rank if before else rank - 1)
        return place

    def pop(self) -> T:
        """Take out whose turn it is.

        Raises:
            KeyError: nobody waits.
        """
        owner, own = next(iter(self._owners.items()), (None, None))
        if owner is None or own is None:
            raise KeyError
        item, _ = own.popitem(last=False)
        self._length -= 1
        if own:
            self._owners.move_to_end(owner)
        else:
            del self._owners[owner]
        return item

    def remove(self, owner: str, item: T) -> None:
        """Take out who waits no longer.

        Raises:
            KeyError: it does not wait here.
        """
        own = self._owners[owner]
        del own[item]
        self._length -= 1
        if not own:
            del self._owners[owner]

    def order(self) -> list[T]:
        """Everybody in the order in which they would be taken out, if nobody came or left."""
        order: list[T] = []
        lines = [iter(own) for own in self._owners.values()]
        while lines:
            longer: list[Iterator[T]] = []
            for line in lines:
                for item in line:
                    order.append(item)
                    longer.append(line)
                    break
            lines = longer
        return order
