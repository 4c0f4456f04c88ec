"""Sends an answer's frames: at a human pace, and with whatever shall go wrong with them."""

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import json

from service.bedrock.eventstream import encode_error, encode_event, encode_exception
from service.local.calls import LocalCall
from service.local.faults import Fault, Position, Step
from service.local.refusal import MESSAGES
from service.local.wire.exchange import HttpExchange
from service.local.wire.frames import Framing, Json, LocalFrame

_TICK = 0.005  # seconds: streams that are due within one tick wake together
_TOGETHER = 32  # frames in one write, when nobody waits between them
_ODD = (1, 3, 11, 29, 2, 53, 7)  # bytes a write


class Ended(Exception):
    """The answer breaks off here: `cut` ends the body cleanly, `drop` and `reset` end the connection."""

    def __init__(self, how: Literal["cut", "drop", "reset"]) -> None:
        super().__init__(how)
        self.how = how


def _without_metrics(frame: LocalFrame) -> LocalFrame:
    kept = {key: value for key, value in frame.payload.items() if key != "amazon-bedrock-invocationMetrics"}
    return LocalFrame(kept, frame.phase)


class FrameSender:
    """Sends one answer. `wild` is what a family's unknown delta looks like."""

    def __init__(
        self, exchange: HttpExchange, framing: Framing, step: Step, call: LocalCall, *, rate: float, wild: LocalFrame
    ) -> None:
        self._exchange, self._framing, self._step, self._call = exchange, framing, step, call
        self._rate = float(step.value("rate") or rate) or math.inf
        self._wild = wild
        self._faults = [fault for fault in step.faults if fault.at != "headers"]
        self._mangle: Callable[[LocalFrame], bytes] | None = None
        self._ready: list[bytes] = []
        self._deltas = 0
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock()

    async def pace(self, tokens: int) -> None:
        """Wait as long as it takes to say so many tokens."""
        if math.isinf(self._rate):
            return
        self._due += tokens / self._rate
        # Rounded up to a tick, so that many streams share one wake-up of the loop.
        wait = math.ceil(self._due / _TICK) * _TICK - self._clock()
        if wait > 0:
            await self.flush()
            await asyncio.sleep(wait)

    async def send(self, frames: Iterable[LocalFrame]) -> None:
        """Send frames, in the order of their phases.

        Raises:
            Ended: a fault ends the answer.
        """
        for frame in frames:
            if self._left_out(frame):
                continue
            await self._before(frame)
            self._ready.append(self._encoded(frame))
            if frame.phase == "delta":
                self._deltas += 1
                await self._reach(self._deltas)
            if len(self._ready) >= _TOGETHER:
                await self.flush()
                await asyncio.sleep(0)  # a client that has left must be noticed flat out too

    def _encoded(self, frame: LocalFrame) -> bytes:
        mangle, self._mangle = self._mangle or self._framing.encode, None
        lacks_metrics = frame.event == "chunk" and self._step.get("no-metadata")
        return mangle(_without_metrics(frame) if lacks_metrics else frame)

    async def flush(self) -> None:
        """Hand what is ready to the socket."""
        if not self._ready:
            return
        ready = b"".join(self._ready)
        self._ready.clear()
        if self._step.get("drip"):
            await self._write_in(ready, (1,))
        elif self._step.get("split"):
            await self._write_in(ready, _ODD)
        else:
            await self._exchange.write(ready)
        if self._call.deltas != self._deltas:
            self._call.sent(self._deltas)

    async def fail(self, code: str, message: str) -> None:
        """Send an exception's frame."""
        self._ready.append(encode_exception(code, json.encode({"message": message})))
        await self.flush()

    async def _write_in(self, ready: bytes, sizes: tuple[int, ...]) -> None:
        at = turn = 0
        while at < len(ready):
            size = sizes[turn % len(sizes)]
            await self._exchange.write(ready[at : at + size])
            await asyncio.sleep(0)
            at, turn = at + size, turn + 1

    def _left_out(self, frame: LocalFrame) -> bool:
        if self._step.get("no-stop"):
            return frame.phase in {"stop", "last"}
        return frame.event == "metadata" and self._step.get("no-metadata") is not None

    async def _before(self, frame: LocalFrame) -> None:
        if self._deltas == 0:
            await self._reach(0)
        if frame.phase == "delta":
            if self._deltas == 0:
                await self._reach("open")
            if self._step.get("step"):
                await self.flush()
                await self._call.gate()
        elif frame.phase in {"stop", "last"}:
            # What was to come after more deltas than there are comes now.
            await self._reach(*(fault.at for fault in self._faults if frame.phase == "last" or fault.at != "last"))

    async def _reach(self, *positions: Position) -> None:
        for fault in tuple(self._faults):
            if fault.at in positions:
                await self._do(fault)

    async def _do(self, fault: Fault) -> None:
        self._faults.remove(fault)
        match fault.name:
            case "gate":
                await self.flush()
                await self._call.gate()
            case "pause" | "slow" | "slow-first":
                await self.flush()
                await asyncio.sleep(fault.seconds)
                self._due = self._clock()
            case "stall":
                await self.flush()
                await asyncio.Event().wait()
            case "cut" | "drop" | "reset":
                await self._end(fault.name)
            case "exception" | "error-frame" | "anthropic-error":
                self._ready.append(self._failure(fault))
                await self._end("cut")
            case "unknown-event":
                self._ready.append(encode_event("hologramStart", b'{"hologram":{"depth":3},"p":"abc"}'))
            case "unknown-delta":
                self._ready.append(self._framing.encode(self._wild))
            case "cut-frame":
                whole = self._framing.encode(self._wild)
                self._ready.append(whole[: len(whole) // 2])
                await self._end("cut")
            case "crc":
                self._mangle = self._bad_crc
            case "crc-prelude":
                self._mangle = self._bad_prelude
            case "garbage-json":
                self._mangle = self._bad_json

    async def _end(self, how: Literal["cut", "drop", "reset"]) -> None:
        await self.flush()
        raise Ended(how)

    def _failure(self, fault: Fault) -> bytes:
        if fault.name == "error-frame":
            code = fault.value or "InternalServerException"
            return encode_error(code, self._message(code))
        if fault.name == "anthropic-error":
            kind = fault.value or "overloaded_error"
            error = {"type": "error", "error": {"type": kind, "message": self._step.value("message") or "Overloaded"}}
            return self._framing.encode(LocalFrame(error))
        return encode_exception(fault.value, json.encode(self._members(fault.value)))

    def _members(self, code: str) -> Json:
        members: Json = {"message": self._message(code)}
        if code.lower() == "modelstreamerrorexception":
            members |= {"originalMessage": members["message"], "originalStatusCode": 500}
        if status := self._step.value("status"):
            members["originalStatusCode"] = int(status)
        return members

    def _message(self, code: str) -> str:
        return self._step.value("message") or MESSAGES.get(code[:1].upper() + code[1:], code)

    def _bad_crc(self, frame: LocalFrame) -> bytes:
        good = self._framing.encode(frame)
        return good[:-1] + bytes((good[-1] ^ 0xFF,))

    def _bad_prelude(self, frame: LocalFrame) -> bytes:
        good = self._framing.encode(frame)
        return good[:8] + bytes((good[8] ^ 0xFF,)) + good[9:]

    def _bad_json(self, frame: LocalFrame) -> bytes:
        return encode_event(frame.event, self._framing.payload(frame)[:-2])
