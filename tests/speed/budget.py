"""What a delta may cost, counted and not timed: `.venv/bin/python -m tests.speed.budget` writes the counts anew.

Each path is run over one answer of many deltas, once as they come under load (all in one read) and once as they come
alone (a read each). Counted are calls (Python's and C's), bytecodes, and blocks of memory that stay; all of it a delta,
and the same on every machine with one version of Python. The whole way is the engine's and the response's own, from
what the HTTP client has read to what is given to the connection to write.
"""

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeVar

from starlette.types import Message, Scope

from service import generation
from service.access.caller import ANONYMOUS
from service.bedrock.catalog import resolution
from service.bedrock.catalog.resolution import Target
from service.bedrock.client import Operation, Response
from service.bedrock.eventstream import FrameDecoder
from service.bedrock.response import StreamedAnswer
from service.bedrock.upstream import Upstream
from service.bedrock.wires.families import wire_of
from service.deltas import Delta, Event, Start, TextDelta
from service.dialects.table import Name, encoder
from service.engine.engine import GenerateRequest, open_engine
from service.engine.progress import ProgressMeter
from service.generation import Api, Policies, Request, Text
from service.http.outlet import Outlet, offer
from service.http.stream_response import StreamResponse
from service.settings import Settings
from service.streams.log import StreamLog
from service.streams.memory import MemoryJournal
from service.streams.record import Record
from tests.speed.answers import claude_frame, converse_frame

_FORMS: tuple[Name, ...] = ("native", "chat", "responses", "messages")
BUDGET = Path(__file__).with_name("budget.json")
DELTAS = 400
CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"

T = TypeVar("T")
Work = Callable[[], object]
Prepared = Callable[[], AbstractAsyncContextManager[Work]]


class Cost(NamedTuple):
    """Of one delta."""

    calls: float
    bytecodes: float
    blocks: float


async def cost(prepare: Prepared, deltas: int = DELTAS) -> Cost:
    """Count what a piece of work costs for each of its deltas. `prepare` makes it anew for each count."""
    for _ in range(2):
        async with prepare() as work:
            work()  # caches are filled, specialised bytecode is in place
    async with prepare() as work:
        calls = _counted(sys.setprofile, sys.getprofile(), work, {"call", "c_call"})
    async with prepare() as work:
        bytecodes = _counted(sys.settrace, sys.gettrace(), work, {"opcode"})
    blocks = []
    gc.freeze()  # else each collection walks over what all tests before this one have left
    try:
        for _ in range(3):
            async with prepare() as work:
                blocks.append(_blocks(work))
    finally:
        gc.unfreeze()
    fewest = min(blocks)  # what else the process does may add to one count
    return Cost(*(round(count / deltas, 2) for count in (calls, bytecodes, fewest)))


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
    return Request(model_id=CLAUDE, messages=(generation.Message("user", (Text("Hello"),)),), api=api)


def _frames() -> list[bytes]:
    return [converse_frame(n) for n in range(DELTAS)]


def _decode_frames(reads: list[bytes]) -> Work:
    decoder = FrameDecoder()
    return lambda: [decoder.feed(read) for read in reads]


def _answer(api: Api, reads: list[bytes]) -> Work:
    """From a read's bytes to deltas."""
    request = _request(api)
    target = resolution.resolve(request)
    decoder = wire_of(target).decoder(request, target.model)
    upstream, taken = Reads(), list[list[Delta]]()

    def take(batch: list[Delta]) -> None:
        taken.append(batch)

    following = StreamedAnswer(upstream, target.api, decoder).follow(take)
    following.send(None)
    received = upstream.followed.result()

    def work() -> object:
        for read in reads:
            received(read)
        return following, taken

    return work


class Reads(Response):
    """A response whose reads the test hands on, to whoever has `followed` it."""

    def __init__(self) -> None:
        super().__init__({}, b"")
        self.followed: asyncio.Future[Callable[[bytes], object]] = asyncio.get_running_loop().create_future()

    async def follow(self, take: Callable[[bytes], object]) -> None:
        """Come to no end."""
        self.followed.set_result(take)
        await asyncio.get_running_loop().create_future()


def _texts() -> list[Event]:
    return [TextDelta(0, f"word{n} ") for n in range(DELTAS)]


def _log() -> StreamLog:
    record = Record("0" * 32, "anonymous", 0.0, "native", _request("auto"), Policies("fail", "detach", store=True))
    log = StreamLog(record)
    start = Start(log.stream_id, CLAUDE, "converse", "local")
    log.publish(log.number([start]), [start])
    return log


def _append(batches: list[list[Event]]) -> Work:
    """From deltas into the log, and counted for `progress`."""
    journal, log, clock = MemoryJournal(ttl_s=60, memory_bytes=1 << 30), _log(), lambda: 0.0
    journal.cache.add(log)
    meter = ProgressMeter(500, 10, clock)

    def work() -> StreamLog:
        for batch in batches:
            for event in batch:
                meter.count(event)
            meter.tick(0.0)
            journal.append(log, batch, "streaming")
        return log

    return work


def _encode(form: Name, batches: list[list[Event]]) -> Work:
    """From the log to a client's bytes."""
    log = _log()
    events = [event for batch in batches for event in batch]
    log.publish(log.number(events), events)
    encoding = encoder(log, form)
    encoding.encode(1, log.take(0)[:2])  # what opens a message is not a delta's

    def work() -> list[bytes]:
        written, after = [], 2
        for batch in batches:
            written.append(encoding.encode(after + 1, batch))
            after += len(batch)
        return written

    return work


@asynccontextmanager
async def _through(form: Name, reads: list[bytes]) -> AsyncIterator[Work]:
    """From a read's bytes, through a generation that runs and its log, to the bytes of a response that is under way."""
    bedrock, journal, outlet = Bedrock(), MemoryJournal(ttl_s=60, memory_bytes=1 << 30), Sink()
    settings = Settings(backend="aws", max_flush_window=0)
    async with open_engine(settings, bedrock, journal, lambda *_: None) as engine, asyncio.timeout(5):
        policies = Policies("fail", "detach", store=True)
        log = await engine.start(GenerateRequest(_request("converse"), ANONYMOUS, form, policies))
        reply = StreamResponse(engine, log, encoder(log, form))
        scope: Scope = {"type": "http"}
        offer(scope.setdefault("state", {}), outlet)
        answered = asyncio.create_task(reply(scope, _nothing, outlet.send))
        take = await bedrock.reads.followed
        take(converse_frame(0))
        await outlet.opened.wait()

        def work() -> list[bytes]:
            for read in reads:
                take(read)
            return outlet.written

        yield work
        answered.cancel()


class Bedrock(Upstream):
    """Bedrock, whose answer the test hands on."""

    def __init__(self) -> None:
        self.reads = Reads()
        self._chosen = resolution.resolve(_request("converse"))

    @property
    def region(self) -> str:
        """Any."""
        return "us-east-1"

    def asks(self, model_id: str) -> bool:  # noqa: ARG002 - the target is fixed
        """No call of the control plane is needed."""
        return False

    async def resolve(self, request: Request) -> Target:  # noqa: ARG002 - there is one
        """The one there is."""
        return self._chosen

    async def send(self, operation: Operation, request: Request, target: Target, body: bytes) -> Response:  # noqa: ARG002 - whatever is asked
        """Answer."""
        return self.reads


class Sink(Outlet):
    """A connection that takes everything."""

    left = False  # nobody leaves
    ready = True

    def __init__(self) -> None:
        self.departures = []
        self.written: list[bytes] = []
        self.opened = asyncio.Event()

    def write(self, piece: bytes) -> None:
        """Keep a piece."""
        self.written.append(piece)

    async def send(self, message: Message) -> None:
        """Take what the response sends itself: the status line, and the events before it waits for more."""
        if message["type"] == "http.response.body":
            self.opened.set()


async def _nothing() -> Message:
    """Say nothing, as a client that only reads."""
    return await asyncio.Future[Message]()


def _alone(events: list[T]) -> list[list[T]]:
    return [[event] for event in events]


def paths() -> dict[str, Prepared]:
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
    ways: dict[str, Prepared] = {}
    for form in _FORMS:
        found[f"{form} events, together"] = partial(_encode, form, together)
        found[f"{form} events, alone"] = partial(_encode, form, alone)
        ways[f"the whole way to {form} events, together"] = partial(_through, form, [b"".join(converse)])
        ways[f"the whole way to {form} events, alone"] = partial(_through, form, converse)
    return {name: _at_once(prepare) for name, prepare in found.items()} | ways


def _at_once(prepare: Callable[[], Work]) -> Prepared:
    return lambda: nullcontext(prepare())


async def measure() -> dict[str, Cost]:
    """Count every path."""
    return {name: await cost(prepare) for name, prepare in paths().items()}


def main() -> None:
    """Write the budget: what is counted now."""
    counted = asyncio.run(measure())
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(one._asdict())}" for name, one in counted.items())
    BUDGET.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
