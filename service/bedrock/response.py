"""Answers as they come: frames, or a whole body, to batches of deltas."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from service.bedrock.aws_errors import broken_off, is_failure
from service.bedrock.catalog.model import Api
from service.bedrock.client import ReadWindow, Response
from service.bedrock.eventstream import Frame, FrameDecoder
from service.bedrock.wires.family import Decoder
from service.deltas import Delta, Unknown
from service.errors import UpstreamError

Take = Callable[[list[Delta]], ReadWindow | None]
"""Takes a batch; the window it returns is a time in which nothing more is read."""

_FAILURES = frozenset({"exception", "error"})


class UpstreamResponse(Protocol):
    """One answer of Bedrock's, as it comes."""

    @property
    def request_id(self) -> str | None:
        """AWS's name for the call."""

    async def follow(self, take: Take) -> None:
        """Give each batch to `take` in the step that read it, to the clean end; a batch may be empty.

        Raises:
            UpstreamError: the answer broke off, failed or cannot be read.
        """


class StreamedAnswer:
    """Frames to deltas, in one pass over what a read brought."""

    def __init__(self, response: Response, api: Api, decoder: Decoder) -> None:
        self._response = response
        self._frames = FrameDecoder()
        self._decoder = decoder
        self._unpack = self._event if api == "converse" else self._chunk

    @property
    def request_id(self) -> str | None:
        """AWS's name for the call."""
        return self._response.request_id

    async def follow(self, take: Take) -> None:
        """Give each batch to `take`; what came before a failure in the same read is told first."""

        def receive(received: bytes) -> ReadWindow | None:
            deltas: list[Delta] = []
            failure = self._read(received, deltas)
            window = take(deltas) if deltas or not failure else None
            if failure:
                raise failure
            return window

        try:
            await self._response.follow(receive)
            self._frames.finish()
            if rest := self._decoder.finish():
                take(rest)
        except UpstreamError as failure:
            failure.request_id = failure.request_id or self._response.request_id
            raise

    def _read(self, received: bytes, deltas: list[Delta]) -> UpstreamError | None:
        """Append what these bytes say, and return what is wrong with what follows it."""
        try:
            for frame in self._frames.feed(received):
                if frame.kind in _FAILURES:
                    raise broken_off(frame)
                deltas += self._unpack(frame)
        except UpstreamError as failure:
            return failure
        return self._frames.broken

    def _event(self, frame: Frame) -> list[Delta]:
        """Read Converse's frame: the event's name, and its JSON."""
        if frame.name == "contentBlockDelta" and (text := self._decoder.text(frame.payload)):
            return [text]
        if is_failure(frame.name):
            raise broken_off(frame)
        return self._decoder.decode({frame.name: read_json(frame.payload)})

    def _chunk(self, frame: Frame) -> list[Delta]:
        """Read InvokeModel's frame: the family's JSON in base64."""
        if frame.name != "chunk":
            if is_failure(frame.name):
                raise broken_off(frame)
            return [Unknown(frame.name)]
        try:
            said = _parse_part(frame.payload).bytes
            if text := self._decoder.text(said):
                return [text]
            chunk = _parse(said)
        except ValueError as mistake:
            raise UpstreamError("upstream_corrupt") from mistake
        return self._decoder.decode(chunk)


class WholeAnswer:
    """An answer that comes as one batch."""

    def __init__(self, response: Response, decoder: Decoder) -> None:
        self._response = response
        self._decoder = decoder

    @property
    def request_id(self) -> str | None:
        """AWS's name for the call."""
        return self._response.request_id

    async def follow(self, take: Take) -> None:
        """Give all of it to `take`, once it is there."""
        try:
            answer = read_json(await self._response.read_all())
            deltas = self._decoder.whole(answer, self._response.headers)
        except UpstreamError as failure:
            failure.request_id = failure.request_id or self._response.request_id
            raise
        take(deltas)


def expect_frames(response: Response) -> None:
    """Refuse HTML or JSON in place of frames, which a body shorter than a frame's prelude would not show.

    Raises:
        UpstreamError: `upstream_corrupt`.
    """
    kind = response.headers.get("content-type", "")
    if kind.startswith(("text/", "application/json", "application/xml")):
        raise UpstreamError("upstream_corrupt", request_id=response.request_id)


def read_json(text: bytes) -> Any:
    """Read JSON that should be there.

    Raises:
        UpstreamError: `upstream_corrupt`.
    """
    try:
        return _parse(text)
    except (ValueError, RecursionError) as mistake:
        raise UpstreamError("upstream_corrupt") from mistake


class _ChunkPayload(msgspec.Struct, gc=False):
    """The payload of a chunk's frame; reading the member as bytes undoes its base64."""

    bytes: bytes


_parse = msgspec.json.Decoder().decode
_parse_part = msgspec.json.Decoder(_ChunkPayload).decode
