"""What a number of open streams takes, computed from the figures of docs/capacity.md.

`python -m bench.sizing 250000` prints it for a number of one's own.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"
SIZES = (10_000, 1_000_000, 100_000_000)

_FIGURE = re.compile(r"^\| `(\w+)` \| ([\d.,]+) \|", re.MULTILINE)
_PACKETS = 4  # a delta comes in one and leaves in one, and each is acknowledged
_ENTRIES_A_STREAM = 8  # its record, its beginning, its lease, its end: commands that are not appends

Figures = dict[str, float]


def figures(page: str | None = None) -> Figures:
    """The figures of the page's tables, by name."""
    return {name: float(value.replace(",", "")) for name, value in _FIGURE.findall(page or PAGE.read_text("utf-8"))}


@dataclass(frozen=True)
class Need:
    """What `streams` open at once take, by the figures."""

    streams: int
    given: Figures

    @property
    def starts(self) -> float:
        """New answers a second."""
        return self.streams / self.given["answer_s"]

    @property
    def deltas(self) -> float:
        """Deltas a second."""
        return self.streams * self.given["deltas_per_s"]

    @property
    def cores_of_deltas(self) -> float:
        """Cores that are busy with deltas."""
        return self.deltas * self.given["delta_us"] / 1e6

    @property
    def cores_of_requests(self) -> float:
        """Cores that are busy with requests."""
        return self.starts * self.given["request_ms"] / 1e3

    @property
    def processes(self) -> int:
        """Processes of one core each, none of which is busier than it should be or has more streams than it may."""
        busy = (self.cores_of_deltas + self.cores_of_requests) / self.given["core_share"]
        return math.ceil(max(busy, self.streams / self.given["max_streams"]))

    @property
    def hosts(self) -> int:
        """Machines for them."""
        return math.ceil(self.processes / self.given["processes_per_host"])

    @property
    def memory_bytes(self) -> float:
        """Memory of all processes."""
        return self.processes * self.given["idle_mb"] * 1e6 + self.streams * self.given["stream_kb"] * 1e3

    @property
    def packets(self) -> float:
        """Packets a second, both sides and both directions."""
        return self.deltas * _PACKETS

    @property
    def bits(self) -> float:
        """Bits a second to and from all processes."""
        return self.deltas * (self.given["event_bytes"] + self.given["frame_bytes"]) * 8

    @property
    def entries(self) -> float:
        """What the journal writes a second."""
        return self.deltas / self.given["deltas_per_entry"] + self.starts * _ENTRIES_A_STREAM

    @property
    def journal_bytes(self) -> float:
        """What the journal holds: the streams that run, half written on average, and those kept after their end."""
        deltas_an_answer = self.given["answer_s"] * self.given["deltas_per_s"]
        entries = self.starts * (self.given["answer_s"] / 2 + self.given["ttl_s"]) * deltas_an_answer
        return entries / self.given["deltas_per_entry"] * self.given["entry_bytes"]

    @property
    def shards(self) -> int:
        """Valkey servers, each writing on one core."""
        by_writes = self.entries / (self.given["valkey_entries"] * self.given["valkey_share"])
        return math.ceil(max(by_writes, self.journal_bytes / (self.given["valkey_gb"] * 1e9)))


def needs(sizes: Iterable[int] = SIZES) -> str:
    """The table of what each size takes."""
    found = [Need(streams, figures()) for streams in sizes]
    lines: list[tuple[str, Callable[[Need], str]]] = [
        ("new answers a second", lambda need: count(need.starts)),
        ("deltas a second", lambda need: count(need.deltas)),
        ("cores for deltas", lambda need: count(need.cores_of_deltas)),
        ("cores for requests", lambda need: count(need.cores_of_requests)),
        ("processes, a core each", lambda need: count(need.processes)),
        ("memory", lambda need: size(need.memory_bytes)),
        ("network, both sides", lambda need: size(need.bits, "bit/s")),
        ("packets a second", lambda need: count(need.packets)),
        ("journal: entries a second", lambda need: count(need.entries)),
        ("journal: memory", lambda need: size(need.journal_bytes)),
        ("journal: Valkey servers", lambda need: count(need.shards)),
        ("Bedrock: requests a minute", lambda need: count(need.starts * 60)),
        ("Bedrock: output tokens a minute", lambda need: count(need.streams * need.given["tokens_per_s"] * 60)),
    ]
    return table(
        ["", *(f"{need.streams:,} streams" for need in found)], ([name, *map(shown, found)] for name, shown in lines)
    )


def hosts(sizes: Iterable[int] = SIZES) -> str:
    """The table of how that is laid out on machines."""
    found = [Need(streams, figures()) for streams in sizes]
    return table(
        ["streams", "hosts", "streams a host", "memory a host", "packets a second a host", "Valkey servers"],
        (
            [
                f"{need.streams:,}",
                count(need.hosts),
                count(need.streams / need.hosts),
                size(need.memory_bytes / need.hosts),
                count(need.packets / need.hosts),
                count(need.shards),
            ]
            for need in found
        ),
    )


def units() -> str:
    """The table of what a core, a GiB and a Valkey server carry."""
    given = figures()
    a_million = Need(1_000_000, given)
    by_core = 1_000_000 * given["core_share"] / (a_million.cores_of_deltas + a_million.cores_of_requests)
    by_writes = 1_000_000 * given["valkey_entries"] * given["valkey_share"] / a_million.entries
    by_memory = 1_000_000 * given["valkey_gb"] * 1e9 / a_million.journal_bytes
    return table(
        ["", "open streams", "bounded by"],
        [
            ["a core", count(by_core), f"its time, {given['core_share']:.0%} of it"],
            ["a GiB", count(2**30 / (given["stream_kb"] * 1e3)), "what an open stream holds"],
            ["a process", count(min(by_core, given["max_streams"])), "its core, or `MAX_STREAMS`"],
            [
                "a Valkey server",
                count(min(by_writes, by_memory)),
                "its writing" if by_writes < by_memory else "its memory",
            ],
        ],
    )


TABLES: dict[str, Callable[[], str]] = {"needs": needs, "hosts": hosts, "units": units}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def count(number: float) -> str:
    """A number, no more exact than it is known."""
    for power, name in ((1e9, "billion"), (1e6, "million")):
        if number >= power:
            return f"{_known(number / power):,.10g} {name}"
    return f"{_known(number):,.10g}"


def size(number: float, unit: str = "B") -> str:
    """A size, likewise."""
    for power, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= power:
            return f"{_known(number / power):,.10g} {prefix}{unit}"
    return f"{number:.0f} {unit}"


def _known(number: float) -> float:
    """Two digits of it."""
    return round(number, 1 - math.floor(math.log10(number))) if number else 0


if __name__ == "__main__":
    print(needs([int(argument) for argument in sys.argv[1:]] or SIZES))
