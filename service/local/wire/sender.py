"""Sends the frames of an answer at a limited rate, and injects the faults of a script."""

import asyncio
import math
from collections.abc import Iterable
from typing import Literal

from msgspec import json

from service.bedrock.eventstream import encode_error, encode_event, encode_exception
from service.local.calls import LocalCall
from service.local.faults import Fault, FaultStep, Position
from service.local.refusal import MESSAGES
from service.local.wire.exchange import HttpExchange
from service.local.wire.frames import Framing, Json, LocalFrame

_TICK = 0.005  # seconds: streams that are due within one tick wake up together
_MAX_FRAMES = 32  # in one write
_SPLIT_SIZES = (1, 3, 11, 29, 2, 53, 7)  # bytes per write
_PRELUDE_CRC = 8  # the offset of the prelude's checksum in a frame


class StreamAborted(Exception):
    """A fault ends the answer: `cut` ends the body cleanly, `drop` and `reset` end the connection."""

    def __init__(self, how: Literal["cut", "drop", "reset"]) -> None:
        super().__init__(how)
        self.how = how


class FrameSender:
    """Sends one answer. `unknown_frame`: a delta of a kind that no client knows, in the family's format."""

    def __init__(
        self,
        exchange: HttpExchange,
        framing: Framing,
        step: FaultStep,
        call: LocalCall,
        *,
        rate: float,
        unknown_frame: LocalFrame,
    ) -> None:
        self._exchange, self._framing, self._step, self._call = exchange, framing, step, call
        self._rate = float(step.value("rate") or rate) or math.inf
        self._unknown_frame = unknown_frame
        self._faults = [fault for fault in step.faults if fault.at != "headers"]
        self._corruption = ""
        self._ready: list[bytes] = []
        self._deltas = 0
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock()

    async def pace(self, tokens: int) -> None:
        """Wait for the time that the rate allows for these tokens."""
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
            StreamAborted: a fault ends the answer.
        """
        for frame in frames:
            if self._is_omitted(frame):
                continue
            await self._inject_before(frame)
            self._ready.append(self._encode(frame))
            if frame.phase == "delta":
                self._deltas += 1
                await self._inject_at(self._deltas)
            if len(self._ready) >= _MAX_FRAMES:
                await self.flush()
                await asyncio.sleep(0)  # without a rate too, the loop must notice a disconnect

    async def flush(self) -> None:
        """Write the encoded frames to the socket."""
        if not self._ready:
            return
        ready = b"".join(self._ready)
        self._ready.clear()
        if self._step.get("drip"):
            await self._write_split(ready, (1,))
        elif self._step.get("split"):
            await self._write_split(ready, _SPLIT_SIZES)
        else:
            await self._exchange.write(ready)
        if self._call.deltas != self._deltas:
            self._call.record_deltas(self._deltas)

    async def fail(self, code: str, message: str) -> None:
        """Send an exception's frame."""
        self._ready.append(encode_exception(code, json.encode({"message": message})))
        await self.flush()

    async def _write_split(self, ready: bytes, sizes: tuple[int, ...]) -> None:
        at = turn = 0
        while at < len(ready):
            size = sizes[turn % len(sizes)]
            await self._exchange.write(ready[at : at + size])
            await asyncio.sleep(0)
            at, turn = at + size, turn + 1

    def _is_omitted(self, frame: LocalFrame) -> bool:
        if self._step.get("no-stop"):
            return frame.phase in {"stop", "last"}
        return frame.event == "metadata" and self._step.get("no-metadata") is not None

    def _encode(self, frame: LocalFrame) -> bytes:
        """Encode a frame, and corrupt it if a fault asks for that."""
        if frame.event == "chunk" and self._step.get("no-metadata"):
            payload = {key: value for key, value in frame.payload.items() if key != "amazon-bedrock-invocationMetrics"}
            frame = LocalFrame(payload, frame.phase)
        if not self._corruption:
            return self._framing.encode(frame)
        corruption, self._corruption = self._corruption, ""
        if corruption == "garbage-json":
            return encode_event(frame.event, self._framing.payload(frame)[:-2])
        encoded = bytearray(self._framing.encode(frame))
        encoded[_PRELUDE_CRC if corruption == "crc-prelude" else -1] ^= 0xFF
        return bytes(encoded)

    async def _inject_before(self, frame: LocalFrame) -> None:
        if self._deltas == 0:
            await self._inject_at(0)
        if frame.phase == "delta":
            if self._deltas == 0:
                await self._inject_at("open")
            if self._step.get("step"):
                await self.flush()
                await self._call.gate()
        elif frame.phase in {"stop", "last"}:
            # Faults after more deltas than the answer has are injected here.
            await self._inject_at(*(fault.at for fault in self._faults if frame.phase == "last" or fault.at != "last"))

    async def _inject_at(self, *positions: Position) -> None:
        for fault in tuple(self._faults):
            if fault.at in positions:
                self._faults.remove(fault)
                await self._inject(fault)

    async def _inject(self, fault: Fault) -> None:
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
                await self._abort(fault.name)
            case "exception" | "error-frame" | "anthropic-error":
                self._ready.append(self._encode_error(fault))
                await self._abort("cut")
            case "unknown-event":
                self._ready.append(encode_event("hologramStart", b'{"hologram":{"depth":3},"p":"abc"}'))
            case "unknown-delta":
                self._ready.append(self._framing.encode(self._unknown_frame))
            case "cut-frame":
                encoded = self._framing.encode(self._unknown_frame)
                self._ready.append(encoded[: len(encoded) // 2])
                await self._abort("cut")
            case "crc" | "crc-prelude" | "garbage-json":
                self._corruption = fault.name

    async def _abort(self, how: Literal["cut", "drop", "reset"]) -> None:
        await self.flush()
        raise StreamAborted(how)

    def _encode_error(self, fault: Fault) -> bytes:
        if fault.name == "error-frame":
            code = fault.value or "InternalServerException"
            return encode_error(code, self._message(code))
        if fault.name == "anthropic-error":
            kind = fault.value or "overloaded_error"
            error = {"type": "error", "error": {"type": kind, "message": self._step.value("message") or "Overloaded"}}
            return self._framing.encode(LocalFrame(error))
        members: Json = {"message": self._message(fault.value)}
        if fault.value.lower() == "modelstreamerrorexception":
            members |= {"originalMessage": members["message"], "originalStatusCode": 500}
        if status := self._step.value("status"):
            members["originalStatusCode"] = int(status)
        return encode_exception(fault.value, json.encode(members))

    def _message(self, code: str) -> str:
        return self._step.value("message") or MESSAGES.get(code[:1].upper() + code[1:], code)
