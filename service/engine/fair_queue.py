"""A queue that is fair between owners: round robin between them, first in first out within one."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[T]):
    """Items by owner. The owners are in round-robin order; an owner with fifty items has one turn.

    All operations are O(1), except a position (O(owners)) and the order (O(items)).
    """

    def __init__(self) -> None:
        self._owners: OrderedDict[str, OrderedDict[T, None]] = OrderedDict()
        self._lengths = _Lengths()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, owner: str, item: T) -> int:
        """Append an item to its owner's queue; return its position, from 1."""
        own = self._owners.setdefault(owner, OrderedDict())
        own[item] = None
        self._changed(owner, len(own), 1)
        return self._last_place(owner, len(own))

    def yields_to(self, owner: str) -> bool:
        """Whether the newest item of the longest queue should make room for another of `owner`.

        Not if that only swapped the two lengths: owners would then replace each other's items, and none would wait long
        enough to be served.
        """
        return len(self._owners.get(owner, ())) + 1 < self._lengths.longest

    def _last_place(self, owner: str, rank: int) -> int:
        """Return the position of an owner's last item: each other owner has as many turns before it."""
        before, place = True, rank
        for other, own in self._owners.items():
            if other == owner:
                before = False
            else:
                place += min(len(own), rank if before else rank - 1)
        return place

    def pop(self) -> T:
        """Remove and return the next item.

        Raises:
            KeyError: the queue is empty.
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
            KeyError: the queue is empty.
        """
        owner = self._lengths.owner_of_longest
        item, _ = self._owners[owner].popitem()
        self._changed(owner, len(self._owners[owner]), -1)
        return item

    def remove(self, owner: str, item: T) -> None:
        """Remove an item.

        Raises:
            KeyError: it is not in the queue.
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
        """Return all items in the order of `pop`."""
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
    """Owners by the length of their queues: finds the longest in O(1)."""

    def __init__(self) -> None:
        self._owners: dict[int, dict[str, None]] = {}
        self.longest = 0

    @property
    def owner_of_longest(self) -> str:
        """The owner of the longest queue; of several, the latest to reach that length.

        Raises:
            KeyError: there is none.
        """
        return next(reversed(self._owners[self.longest]))

    def change(self, owner: str, before: int, now: int) -> None:
        """Note that an owner's queue has grown or shrunk by one."""
        if now:
            self._owners.setdefault(now, {})[owner] = None
        if before:
            del self._owners[before][owner]
            if not self._owners[before]:
                del self._owners[before]
        if now > self.longest or self.longest not in self._owners:
            self.longest = now
