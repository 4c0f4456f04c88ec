"""Sends an answer, streamed or whole, and injects the faults of a script."""

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
from service.local.faults import FaultStep
from service.local.meter import InputTokens, TokenCounter
from service.local.plan import Plan, StreamStart, Writer
from service.local.refusal import LocalRefusal
from service.local.templates import PromptMemory
from service.local.text import text_server
from service.local.text.pieces import stream_pieces
from service.local.wire.exchange import HttpExchange
from service.local.wire.frames import Framing
from service.local.wire.sender import FrameSender, StreamAborted

_STREAM = "application/vnd.amazon.eventstream"
_HTML = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


class LocalBedrock(Struct, frozen=True):
    """The settings and the state of one local Bedrock. `rate`: tokens a second."""

    rate: float
    faults: bool
    text_url: str | None
    meter: TokenCounter
    calls: Calls
    prompts: PromptMemory


class LocalRequest(Struct, frozen=True):
    """One running request. The names of `headers` are in lower case."""

    local: LocalBedrock
    exchange: HttpExchange
    operation: str
    model_id: str
    headers: dict[str, str]
    body: bytes
    call: LocalCall
    step: FaultStep

    @property
    def rate(self) -> float:
        """Tokens a second, from the fault script or the settings."""
        return float(self.step.value("rate") or self.local.rate) or math.inf


async def send_stream(request: LocalRequest, plan: Plan) -> None:
    """Stream an answer."""
    counted = _measured(request, plan)
    writer = _make_writer(plan, counted)
    first = writer.begin()
    headers = [("content-type", _STREAM), ("x-amzn-RequestId", str(uuid4())), *plan.headers]
    if await _send_other_body(request, headers):
        return
    request.call.status = 200
    await request.exchange.start(200, headers)
    sender = FrameSender(
        request.exchange,
        Framing(crc32(request.body)),
        request.step,
        request.call,
        rate=request.rate,
        unknown_frame=plan.unknown_frame,
    )
    try:
        await sender.send(first)
        await _stream(request, plan, counted, writer, sender)
    except LocalRefusal as refused:  # the text server failed, after the status line was sent
        await sender.fail("modelStreamErrorException", str(refused))
        await request.exchange.finish()
    except StreamAborted as aborted:
        if aborted.how == "cut":
            await request.exchange.finish()
        else:
            await request.exchange.break_connection(reset=aborted.how == "reset")
    else:
        await request.exchange.finish()


async def _stream(request: LocalRequest, plan: Plan, counted: InputTokens, writer: Writer, sender: FrameSender) -> None:
    started = time.monotonic()
    first_byte = 0
    await sender.flush()
    async for part in _answer(request, plan, counted):
        if isinstance(part, Piece):
            await sender.pace(part.tokens)
            first_byte = first_byte or _ms_since(started)
            await sender.send(writer.write(part))
        else:
            await sender.send(writer.end(_add_times(request, part, started, first_byte)))
    await sender.flush()


async def send_whole(request: LocalRequest, plan: Plan) -> None:
    """Send a whole answer."""
    if name := request.step.value("exception"):  # on a stream, the frame of an exception
        status = request.step.value("status")
        members = {"originalStatusCode": int(status)} if status else {}
        raise LocalRefusal(request.step.value("message"), name[:1].upper() + name[1:], members=members)
    started = time.monotonic()
    counted = _measured(request, plan)
    blocks: dict[int, list[Piece]] = {}
    end: End | None = None
    async for part in _answer(request, plan, counted):
        if isinstance(part, Piece):
            blocks.setdefault(part.block.index, []).append(part)
        else:
            end = part
    assert end is not None  # noqa: S101 an answer always ends
    if not math.isinf(request.rate):
        await asyncio.sleep(end.usage.output / request.rate)
    end = _add_times(request, end, started, _ms_since(started))
    whole = [
        structs.replace(pieces[0].block, text="".join(piece.text for piece in pieces)) for pieces in blocks.values()
    ]
    headers = [("content-type", "application/json"), ("x-amzn-RequestId", str(uuid4())), *plan.headers]
    if request.operation == "invoke":
        headers += _count_headers(end)
    if not await _send_other_body(request, headers):
        await _send_body(request, headers, msgspec.json.encode(_make_writer(plan, counted).write_body(whole, end)))


def _measured(request: LocalRequest, plan: Plan) -> InputTokens:
    """Count the request's tokens, and reject it if it exceeds the model's context."""
    counted, limit = request.local.meter.measure(plan.prompt), plan.prompt.model.context_tokens
    total = counted.fresh + counted.cache_read + counted.cache_write
    if limit is not None and total > limit:
        if plan.prompt.model.family == "claude_messages":
            raise LocalRefusal(f"prompt is too long: {total} tokens > {limit} maximum")
        raise LocalRefusal("Input is too long for requested model.")
    return counted


def _make_writer(plan: Plan, counted: InputTokens) -> Writer:
    return plan.make_writer(StreamStart(counted.fresh, counted.cache_read, counted.cache_write, int(time.time())))


def _answer(request: LocalRequest, plan: Plan, counted: InputTokens) -> AsyncIterator[Piece | End]:
    url = request.local.text_url
    answer = compose.compose_answer(plan.prompt, id_prefix=plan.id_prefix, live=url is not None)
    texts = text_server.stream_text(url, plan.prompt) if url and answer.live else None
    return stream_pieces(plan.prompt, answer, plan.chunking, counted, texts)


def _add_times(request: LocalRequest, end: End, started: float, first_byte: int) -> End:
    stop = request.step.value("stop-reason") or end.stop
    return structs.replace(end, stop=stop, latency_ms=max(1, _ms_since(started)), first_byte_ms=max(1, first_byte))


def _ms_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _count_headers(end: End) -> list[tuple[str, str]]:
    """Return the headers with counts: recorded on InvokeModel, but not in the service model."""
    counts = {
        "Invocation-Latency": end.latency_ms,
        "Input-Token-Count": end.usage.input,
        "Output-Token-Count": end.usage.output,
        "Cache-Read-Input-Token-Count": end.usage.cache_read,
        "Cache-Write-Input-Token-Count": end.usage.cache_write,
    }
    return [(f"X-Amzn-Bedrock-{name}", str(count)) for name, count in counts.items()]


async def _send_other_body(request: LocalRequest, headers: list[tuple[str, str]]) -> bool:
    """Send another body than the answer, if a fault asks for one. Return whether it was sent."""
    bodies = {
        "html": ("text/html", _HTML),
        "json": ("application/json", b'{"message":"This is not what was asked for."}'),
        "empty": (headers[0][1], b""),
    }
    for name, (kind, body) in bodies.items():
        if request.step.get(name):
            request.call.status = 200
            await request.exchange.start(200, [("content-type", kind), *headers[1:]])
            await request.exchange.finish(body)
            return True
    return False


async def _send_body(request: LocalRequest, headers: list[tuple[str, str]], body: bytes) -> None:
    """Send a whole answer; a fault that truncates a stream truncates it in the middle."""
    request.call.status = 200
    kinds = {fault.name: fault for fault in request.step.faults if fault.at != "headers"}
    if kinds.keys() & {"garbage-json", "crc", "crc-prelude"}:
        body = body[:-2]
    await request.exchange.start(200, [*headers, ("content-length", str(len(body)))])
    if broken := kinds.keys() & {"cut", "drop", "reset", "cut-frame"}:
        await request.exchange.write(body[: len(body) // 2])
        await request.exchange.break_connection(reset="reset" in broken)
        return
    if "stall" in kinds:
        await asyncio.Event().wait()
    if "gate" in kinds:
        await request.call.gate()
    await request.exchange.finish(body)
    request.call.record_deltas(1)
