"""What a family is: the shape of one kind of model on InvokeModel, as pure functions.

A family knows no client, clock or logger. Each is a module of `families/`: a function that builds the body, and a class
that reads the answer. Converse is not a family, but `converse.CONVERSE` has the same shape, so that `upstream` drives
both in one way: a chunk of Converse is `{event type: payload}`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from service.bedrock.catalog.model import Model
from service.deltas import Delta, TextDelta
from service.generation import Request

Json = dict[str, Any]


class Decoder(Protocol):
    """Turns one answer into deltas; its state is the answer so far."""

    def text(self, chunk: bytes) -> TextDelta | None:
        """Recognise the commonest chunk, a piece of text, without a tree of its JSON; None: `decode` has to look.

        What it recognises, `decode` would have translated to the same.
        """

    def decode(self, chunk: Any) -> list[Delta]:
        """Translate one chunk of a stream. Empty text yields nothing; what is not understood yields `Unknown`.

        Raises:
            UpstreamError: a kind we know in a shape we cannot read, or an error object in the stream.
        """

    def finish(self) -> list[Delta]:
        """Close a stream at the body's clean end.

        Raises:
            UpstreamError: `upstream_truncated`, where the wire never said that the answer was over.
        """

    def whole(self, answer: Any, headers: Mapping[str, str]) -> list[Delta]:
        """Translate a whole answer; `headers` (lower case) hold the usage of families whose body does not.

        Raises:
            UpstreamError: an answer we cannot read.
        """


class BuildBody(Protocol):
    """Builds the operation's body."""

    def __call__(self, request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
        """Build the body. `prefill` is the answer so far, to be gone on from.

        Raises:
            InvalidRequest: the request holds what this family has no words for.
        """


class MakeDecoder(Protocol):
    """Makes a decoder for one answer to a request."""

    def __call__(self, request: Request, model: Model, prefill: str = "") -> Decoder:
        """Begin one answer; `prefill` is what its body was given."""


class Family(Struct, frozen=True):
    """One wire shape: what is sent, and how both kinds of answer are read."""

    name: str
    body: BuildBody
    reader: MakeDecoder

    def decoder(self, request: Request, model: Model, *, prefill: str = "") -> Decoder:
        """Begin one streamed answer."""
        return self.reader(request, model, prefill)

    def whole(
        self, answer: Any, headers: Mapping[str, str], request: Request, model: Model, *, prefill: str = ""
    ) -> list[Delta]:
        """Translate a whole answer."""
        return self.reader(request, model, prefill).whole(answer, headers)
