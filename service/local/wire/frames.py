"""The chunks and events of an answer, and their encoding as frames with padding."""

from base64 import b64encode
from random import Random
from typing import Any, Literal

from msgspec import Struct, json

from service.bedrock.eventstream import encode_event

Json = dict[str, Any]

_FILLER = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

Phase = Literal["open", "delta", "other", "stop", "last"]
"""`open` begins an answer, `delta` contains a part of it, `stop` its stop reason, `last` is its last frame."""


class LocalFrame(Struct, frozen=True):
    """One event (of ConverseStream) or chunk (of InvokeModelWithResponseStream)."""

    payload: Json
    phase: Phase = "other"
    event: str = "chunk"


class Framing:
    """Encodes the frames of an answer, each with padding of a random length against length analysis.

    `p` has 2 to 60 characters, always the beginning of the same alphabet (recorded, 2024-12 to 2026).
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 nothing secret

    def encode(self, frame: LocalFrame) -> bytes:
        """Encode one frame."""
        return encode_event(frame.event, self.payload(frame))

    def payload(self, frame: LocalFrame) -> bytes:
        """Encode the payload of a frame: Converse's members unchanged, a family's chunk in base64."""
        inner = frame.payload
        if frame.event == "chunk":
            inner = {"bytes": b64encode(json.encode(inner)).decode()}
        return json.encode({**inner, "p": _FILLER[: self._random.randint(2, 60)]})
