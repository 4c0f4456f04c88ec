"""A waiting line that is fair between those who wait in it: each in turn, first come first served within one."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[T]):
    """Who waits, by whose they are. `owners` stand in the order of their turns; one with fifty things has one turn.

    Everything is O(1) but for a place, which looks at each owner, and for the order, which looks at everybody once.
    """

    def __init__(self) -> None:
        self._owners: OrderedDict[str, OrderedDict[T, None]] = OrderedDict()
        self._lengths = _Lengths()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, owner: str, item: T) -> int:
        """Let something wait at the end of its owner's own line; return its place, counted from 1."""
        own = self._owners.setdefault(owner, OrderedDict())
        own[item] = None
        self._changed(owner, len(own), 1)
        return self._last_place(owner, len(own))

    def yields_to(self, owner: str) -> bool:
        """Whether the newest of the longest line should make room for one more of an owner's.

        Not where that would only turn the tables: then each could drive the other out again, and nobody would wait for
        long enough to be served.
        """
        return len(self._owners.get(owner, ())) + 1 < self._lengths.longest

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
        self._changed(owner, len(own), -1)
        if own:
            self._owners.move_to_end(owner)
        return item

    def pop_newest(self) -> T:
        """Take out the newest of the longest line; of several as long, of the one that came to it last.

        Raises:
            KeyError: nobody waits.
        """
        owner = self._lengths.owner_of_longest
        item, _ = self._owners[owner].popitem()
        self._changed(owner, len(self._owners[owner]), -1)
        return item

    def remove(self, owner: str, item: T) -> None:
        """Take out who waits no longer.

        Raises:
            KeyError: it does not wait here.
        """
        own = self._owners[owner]
        del own[item]
        self._changed(owner, len(own), -1)

    def _changed(self, owner: str, length: int, by: int) -> None:
        self._length += by
        self._lengths.change(owner, length - by, length)
        if not length:
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


class _Lengths:
    """Owners by the length of their lines, so that the longest is known without a look at all of them."""

    def __init__(self) -> None:
        self._owners: dict[int, dict[str, None]] = {}
        self.longest = 0

    @property
    def owner_of_longest(self) -> str:
        """Who has the longest line; of several, who came to it last.

        Raises:
            KeyError: nobody has one.
        """
        return next(reversed(self._owners[self.longest]))

    def change(self, owner: str, before: int, now: int) -> None:
        """Note that an owner's line has become longer or shorter by one."""
        if now:
            self._owners.setdefault(now, {})[owner] = None
        if before:
            del self._owners[before][owner]
            if not self._owners[before]:
                del self._owners[before]
        if now > self.longest or self.longest not in self._owners:
            self.longest = now
