"""What a family is: the shape of one kind of model on InvokeModel, as pure functions.

A family knows no client, clock or logger. Converse is not a family, but its decoder keeps the same protocol.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from service.bedrock.catalog import Model
from service.deltas import Delta
from service.generation import Request

Json = dict[str, Any]


class Decoder(Protocol):
    """Turns one answer's chunks into deltas; its state is the answer so far."""

    def decode(self, chunk: Json) -> list[Delta]:
        """Translate one chunk. Empty text yields nothing; what is not understood yields `Unknown`.

        Raises:
            UpstreamError: a kind we know in a shape we cannot read, or an error object in the stream.
        """

    def finish(self) -> list[Delta]:
        """Close the answer at the body's clean end.

        Raises:
            UpstreamError: `upstream_truncated`, where the wire never said that the answer was over.
        """


class Family(Protocol):
    """One module of `families/`."""

    name: str

    def body(self, request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
        """Build InvokeModel's body. `prefill` is the answer so far, to be gone on from.

        Raises:
            InvalidRequest: the request holds what this family has no words for.
        """

    def decoder(self) -> Decoder:
        """Begin one streamed answer."""

    def whole(self, answer: Json, headers: Mapping[str, str]) -> list[Delta]:
        """Translate a whole answer; `headers` (lower case) hold the usage of families whose body does not."""
