"""What a delta may cost, counted and not timed: `.venv/bin/python -m tests.speed.budget` writes the counts anew.

Each path is run over one answer of many deltas, once as they come under load (all in one read) and once as they come
alone (a read each). Counted are calls (Python's and C's), bytecodes, and blocks of memory that stay; all of it a delta,
and the same on every machine with one version of Python.

"""

import asyncio
import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeVar

from service.bedrock import catalog
from service.bedrock.answers import StreamedAnswer
from service.bedrock.client import Response, Window
from service.bedrock.eventstream import FrameDecoder
from service.bedrock.families import wire_of
from service.deltas import Delta, Event, Start, TextDelta
from service.engine.progress import Meter
from service.generation import Api, Message, Policies, Request, Text
from service.routers.formats import Format, encoder
from service.streams.log import StreamLog
from service.streams.memory import MemoryJournal
from service.streams.record import Record
from tests.speed.answers import claude_frame, converse_frame

BUDGET = Path(__file__).with_name("budget.json")
DELTAS = 400
CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"

T = TypeVar("T")
Work = Callable[[], object]


class Cost(NamedTuple):
    """Of one delta."""

    calls: float
    bytecodes: float
    blocks: float


def cost(prepare: Callable[[], Work], deltas: int = DELTAS) -> Cost:
    """Count what a piece of work costs for each of its deltas. `prepare` makes it anew for each count."""
    for _ in range(2):
        prepare()()  # caches are filled, specialised bytecode is in place
    work = prepare()
    calls = _counted(sys.setprofile, sys.getprofile(), work, {"call", "c_call"})
    work = prepare()
    bytecodes = _counted(sys.settrace, sys.gettrace(), work, {"opcode"})
    blocks = min(_blocks(prepare()) for _ in range(5))  # what else the process does may add to one count
    return Cost(*(round(count / deltas, 2) for count in (calls, bytecodes, blocks)))


def _blocks(work: Work) -> int:
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        kept = work()
        blocks = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    del kept
    return blocks


def _counted(install: Callable[[Any], None], former: Any, work: Work, kinds: set[str]) -> int:
    count = 0

    def note(frame: FrameType, kind: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += kind in kinds
        return note

    install(note)
    try:
        work()
    finally:
        install(former)
    return count


def _request(api: Api) -> Request:
    return Request(model_id=CLAUDE, messages=(Message("user", (Text("Hello"),)),), api=api)


def _frames() -> list[bytes]:
    return [converse_frame(n) for n in range(DELTAS)]


def _decode_frames(reads: list[bytes]) -> Work:
    decoder = FrameDecoder()
    return lambda: [decoder.feed(read) for read in reads]


def _answer(api: Api, reads: list[bytes]) -> Work:
    """From a read's bytes to deltas."""
    request = _request(api)
    target = catalog.resolve(request)
    decoder = wire_of(target).decoder(request, target.model)
    upstream, taken = Reads({}, b""), list[list[Delta]]()

    def take(batch: list[Delta]) -> None:
        taken.append(batch)

    following = StreamedAnswer(upstream, target.api, decoder).follow(take)
    following.send(None)

    def work() -> object:
        for read in reads:
            upstream.take(read)
        return following, taken

    return work


class Reads(Response):
    """A response whose reads the test hands on."""

    async def follow(self, take: Callable[[bytes], Window | None]) -> None:
        """Come to no end."""
        self.take = take
        await asyncio.get_running_loop().create_future()


def _texts() -> list[Event]:
    return [TextDelta(0, f"word{n} ") for n in range(DELTAS)]


def _log() -> StreamLog:
    record = Record("0" * 32, "anonymous", 0.0, "native", _request("auto"), Policies("fail", "detach", store=True))
    log = StreamLog(record)
    start = Start(log.stream_id, CLAUDE, "converse", "local")
    log.show(log.number([start]), [start])
    return log


def _append(batches: list[list[Event]]) -> Work:
    """From deltas into the log, and counted for `progress`."""
    journal, log, clock = MemoryJournal(ttl_s=60, memory_bytes=1 << 30), _log(), lambda: 0.0
    journal.shelf.put(log)
    meter = Meter(500, 10, clock)

    def work() -> StreamLog:
        for batch in batches:
            for event in batch:
                meter.count(event)
            meter.tick(0.0)
            journal.append(log, batch, "streaming")
        return log

    return work


def _encode(form: Format, batches: list[list[Event]]) -> Work:
    """From the log to a client's bytes."""
    log = _log()
    events = [event for batch in batches for event in batch]
    log.show(log.number(events), events)
    encoding = encoder(log, form)
    encoding.encode(1, log.take(0)[:2])  # what opens a message is not a delta's

    def work() -> list[bytes]:
        written, after = [], 2
        for batch in batches:
            written.append(encoding.encode(after + 1, batch))
            after += len(batch)
        return written

    return work


def _alone(events: list[T]) -> list[list[T]]:
    return [[event] for event in events]


def paths() -> dict[str, Callable[[], Work]]:
    """Every path that is held to the budget, by its name."""
    together, alone = [_texts()], _alone(_texts())
    converse, claude = _frames(), [claude_frame(n) for n in range(DELTAS)]
    found: dict[str, Callable[[], Work]] = {
        "frames, together": lambda: _decode_frames([b"".join(converse)]),
        "frames, alone": lambda: _decode_frames(converse),
        "Converse to deltas, together": lambda: _answer("converse", [b"".join(converse)]),
        "Converse to deltas, alone": lambda: _answer("converse", converse),
        "Claude's messages to deltas, together": lambda: _answer("invoke", [b"".join(claude)]),
        "Claude's messages to deltas, alone": lambda: _answer("invoke", claude),
        "into the log, together": lambda: _append(together),
        "into the log, alone": lambda: _append(alone),
    }
    forms: tuple[Format, ...] = ("native", "chat", "responses", "messages")
    for form in forms:
        found[f"{form} events, together"] = lambda form=form: _encode(form, together)  # type: ignore[misc] # its own
        found[f"{form} events, alone"] = lambda form=form: _encode(form, alone)  # type: ignore[misc] # as above
    return found


async def measure() -> dict[str, Cost]:
    """Count every path."""
    return {name: cost(prepare) for name, prepare in paths().items()}


def main() -> None:
    """Write the budget: what is counted now."""
    counted = asyncio.run(measure())
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(one._asdict())}" for name, one in counted.items())
    BUDGET.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
