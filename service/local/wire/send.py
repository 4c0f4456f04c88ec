"""Sends an answer, streamed or whole, with what shall go wrong with it."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from uuid import uuid4
from zlib import crc32

import msgspec
from msgspec import Struct, structs

from service.local import compose
from service.local.answer import End, Piece
from service.local.calls import Calls, LocalCall
from service.local.faults import Step
from service.local.meter import Counted, TokenCounter
from service.local.plan import Opening, Plan, Writer
from service.local.refusal import LocalRefusal
from service.local.templates import Remembered
from service.local.text import text_server
from service.local.text.pieces import tell
from service.local.wire.exchange import HttpExchange
from service.local.wire.frames import Framing
from service.local.wire.sender import Ended, FrameSender

_STREAM = "application/vnd.amazon.eventstream"
_HTML = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


class Local(Struct, frozen=True):
    """What one local Bedrock is made of. `rate` is in tokens a second."""

    rate: float
    faults: bool
    text_url: str | None
    meter: TokenCounter
    calls: Calls
    prompts: Remembered


class Job(Struct, frozen=True):
    """One request under way. The names of `headers` are in lower case."""

    local: Local
    exchange: HttpExchange
    operation: str
    model_id: str
    headers: dict[str, str]
    body: bytes
    call: LocalCall
    step: Step

    @property
    def rate(self) -> float:
        """Tokens a second, as the request or the local Bedrock wants them."""
        return float(self.step.value("rate") or self.local.rate) or math.inf


async def send_stream(job: Job, plan: Plan) -> None:
    """Stream an answer."""
    counted = _measured(job, plan)
    writer = plan.writer(Opening(counted.fresh, counted.cache_read, counted.cache_write, int(time.time())))
    headers = [("content-type", _STREAM), ("x-amzn-RequestId", str(uuid4())), *plan.headers]
    if await _sent_instead(job, headers):
        return
    job.call.status = 200
    await job.exchange.start(200, headers)
    sender = FrameSender(job.exchange, Framing(crc32(job.body)), job.step, job.call, rate=job.rate, wild=plan.wild)
    try:
        await _stream(job, plan, counted, writer, sender)
    except LocalRefusal as refused:  # by whoever finds the words; too late for a status
        await sender.fail("modelStreamErrorException", str(refused))
        await job.exchange.finish()
    except Ended as ended:
        if ended.how == "cut":
            await job.exchange.finish()
        else:
            await job.exchange.break_off(reset=ended.how == "reset")
    else:
        await job.exchange.finish()


async def _stream(job: Job, plan: Plan, counted: Counted, writer: Writer, sender: FrameSender) -> None:
    started = time.monotonic()
    first_byte = 0
    await sender.send(writer.begin())
    await sender.flush()
    async for said in _told(job, plan, counted):
        if isinstance(said, Piece):
            await sender.pace(said.tokens)
            first_byte = first_byte or _since(started)
            await sender.send(writer.piece(said))
        else:
            await sender.send(writer.end(_timed(job, said, started, first_byte)))
    await sender.flush()


async def send_whole(job: Job, plan: Plan) -> None:
    """Send an answer whole."""
    _refuse_by_exception(job)
    started = time.monotonic()
    counted = _measured(job, plan)
    blocks: dict[int, list[Piece]] = {}
    end: End | None = None
    async for said in _told(job, plan, counted):
        if isinstance(said, Piece):
            blocks.setdefault(said.block.index, []).append(said)
        else:
            end = said
    assert end is not None  # noqa: S101 an answer always ends
    if not math.isinf(job.rate):
        await asyncio.sleep(end.usage.output / job.rate)
    end = _timed(job, end, started, _since(started))
    whole = [
        structs.replace(pieces[0].block, text="".join(piece.text for piece in pieces)) for pieces in blocks.values()
    ]
    headers = [("content-type", "application/json"), ("x-amzn-RequestId", str(uuid4())), *plan.headers]
    if job.operation == "invoke":
        headers += _counts(end)
    if not await _sent_instead(job, headers):
        await _send_body(job, headers, msgspec.json.encode(plan.whole(whole, end)))


def _refuse_by_exception(job: Job) -> None:
    """Refuse where a stream would have been ended by an exception's frame."""
    if name := job.step.value("exception"):
        status = job.step.value("status")
        members = {"originalStatusCode": int(status)} if status else {}
        raise LocalRefusal(job.step.value("message"), name[:1].upper() + name[1:], members=members)


def _measured(job: Job, plan: Plan) -> Counted:
    """Count the request, which must fit into the model's context."""
    counted, most = job.local.meter.measure(plan.prompt), plan.prompt.model.context_tokens
    asked = counted.fresh + counted.cache_read + counted.cache_write
    if most is not None and asked > most:
        if plan.prompt.model.family == "claude_messages":
            raise LocalRefusal(f"prompt is too long: {asked} tokens > {most} maximum")
        raise LocalRefusal("Input is too long for requested model.")
    return counted


def _told(job: Job, plan: Plan, counted: Counted) -> AsyncIterator[Piece | End]:
    live = job.local.text_url
    answer = compose.answer(plan.prompt, ids=plan.ids, live=live is not None)
    words = text_server.words(live, plan.prompt) if live and answer.live else None
    return tell(plan.prompt, answer, plan.manner, counted, words)


def _timed(job: Job, end: End, started: float, first_byte: int) -> End:
    stop = job.step.value("stop-reason") or end.stop
    return structs.replace(end, stop=stop, latency_ms=max(1, _since(started)), first_byte_ms=max(1, first_byte))


def _since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _counts(end: End) -> list[tuple[str, str]]:
    """Count in headers: recorded on InvokeModel, though the service model does not list them."""
    counts = {
        "Invocation-Latency": end.latency_ms,
        "Input-Token-Count": end.usage.input,
        "Output-Token-Count": end.usage.output,
        "Cache-Read-Input-Token-Count": end.usage.cache_read,
        "Cache-Write-Input-Token-Count": end.usage.cache_write,
    }
    return [(f"X-Amzn-Bedrock-{name}", str(count)) for name, count in counts.items()]


async def _sent_instead(job: Job, headers: list[tuple[str, str]]) -> bool:
    """Send something that is no answer at all, where a fault wants it."""
    bodies = {
        "html": ("text/html", _HTML),
        "json": ("application/json", b'{"message":"This is not what was asked for."}'),
        "empty": (headers[0][1], b""),
    }
    for name, (kind, body) in bodies.items():
        if job.step.get(name):
            job.call.status = 200
            await job.exchange.start(200, [("content-type", kind), *headers[1:]])
            await job.exchange.finish(body)
            return True
    return False


async def _send_body(job: Job, headers: list[tuple[str, str]], body: bytes) -> None:
    """Send a whole answer; a fault that would break a stream breaks it in the middle."""
    job.call.status = 200
    kinds = {fault.name: fault for fault in job.step.faults if fault.at != "headers"}
    if kinds.keys() & {"garbage-json", "crc", "crc-prelude"}:
        body = body[:-2]
    await job.exchange.start(200, [*headers, ("content-length", str(len(body)))])
    if broken := kinds.keys() & {"cut", "drop", "reset", "cut-frame"}:
        await job.exchange.write(body[: len(body) // 2])
        await job.exchange.break_off(reset="reset" in broken)
        return
    if "stall" in kinds:
        await asyncio.Event().wait()
    if "gate" in kinds:
        await job.call.gate()
    await job.exchange.finish(body)
    job.call.sent(1)
