"""What goes past the SDK: our body and headers on the way out, the raw answer on the way back."""

import asyncio
import io
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import aiohttp

from service.bedrock.client.tap import CUT, Take, Tap
from service.errors import UpstreamError
from service.generation import LARGE_BYTES


class Response:
    """What Bedrock answered: headers in lower case, and a body that is read as it comes."""

    __slots__ = ("_raw", "_rest", "headers")

    def __init__(self, headers: Mapping[str, str], body: Any) -> None:
        self.headers = headers
        self._rest = body if isinstance(body, bytes) else b""
        self._raw: aiohttp.ClientResponse | None = None if isinstance(body, bytes) else body

    @property
    def request_id(self) -> str | None:
        """AWS's name for this call."""
        return self.headers.get("x-amzn-requestid")

    async def read(self) -> bytes:
        """Wait for the next bytes; `b""` is the body's clean end.

        Raises:
            UpstreamError: `upstream_truncated`, where the connection was cut.
        """
        if self._raw is None:
            rest, self._rest = self._rest, b""
            return rest
        try:
            return await self._raw.content.readany()
        except CUT as cut:
            raise UpstreamError("upstream_truncated", request_id=self.request_id) from cut

    async def follow(self, take: Take) -> None:
        """Hand on the body as it comes: to its end, or to a cut, which its decoders tell from an end."""
        if self._raw and (transport := _transport(self._raw)):
            await Tap(self._raw.content, transport, take).run()
            return
        while received := await self._read_or_end():
            take(received)

    async def _read_or_end(self) -> bytes:
        with suppress(UpstreamError):
            return await self.read()
        return b""

    async def read_all(self) -> bytes:
        """Read a whole body."""
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Drop the connection at once; one whose body was read to its end has long gone back to the pool."""
        if self._raw is None:
            return
        # `close` alone would wait for the peer's farewell under TLS, and Bedrock would go on until then.
        if transport := _transport(self._raw):
            transport.abort()
        self._raw.close()


def _transport(raw: aiohttp.ClientResponse) -> asyncio.Transport | None:
    return raw.connection.transport if raw.connection else None


class SdkExchange:
    """One call, as the SDK's hooks see it; None for a body leaves the SDK's own."""

    __slots__ = ("answer", "answer_headers", "body", "headers", "prepared", "status", "unsigned")

    def __init__(
        self,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        unsigned: Mapping[str, str] | None = None,
    ) -> None:
        self.body = body
        self.headers = headers or {}
        self.unsigned = unsigned or {}
        self.status = 0
        self.prepared: Prepared | None = None
        self.answer: Any = b""
        self.answer_headers: Mapping[str, str] = {}

    def put_into(self, params: dict[str, Any]) -> None:
        """Give the SDK our body and headers: before it signs, so that the length and the signature are right.

        A large body goes as a file, which aiohttp writes in pieces; bytes it would copy to the socket's buffer at once.
        """
        large = self.body is not None and len(self.body) > LARGE_BYTES
        params["body"] = io.BytesIO(self.body or b"") if large else self.body
        params["headers"]["Content-Type"] = "application/json"
        params["headers"].update(self.headers)

    def response(self) -> Response:
        """The answer, from which on it is the caller's to close."""
        return Response(self.answer_headers, self.answer)

    def close(self) -> None:
        """Give up an answer that nobody will get."""
        self.response().close()


class Prepared:
    """A request as the SDK prepared it once: its address by the rules of endpoints, its user agent, how it is signed.

    A call to the same model differs in its body alone. To write all that anew each time took an eighth of a request's
    cost (py-spy, aiobotocore 2.25.1, 2026-11-24); signing and sending stay the SDK's.
    """

    __slots__ = ("_context", "_params", "operation")

    def __init__(self, operation: Any, params: dict[str, Any], context: dict[str, Any]) -> None:
        self.operation = operation
        self._params = params | {"headers": params["headers"].copy(), "body": b""}
        self._context = context.copy()

    def with_body_of(self, exchange: "SdkExchange") -> dict[str, Any]:
        """The SDK's parameters for one call."""
        params = self._params | {"headers": self._params["headers"].copy(), "context": self._context.copy()}
        exchange.put_into(params)
        return params


current: ContextVar[SdkExchange] = ContextVar("current")
"""The call that this task is making; the SDK hands its hooks nothing of ours."""


def put_body(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
    """The SDK's `before-call` hook."""
    exchange = current.get()
    if exchange.body is not None:
        exchange.prepared = Prepared(model, params, context)
        exchange.put_into(params)


def add_unsigned(request: Any, **_: Any) -> None:
    """The SDK's `before-send` hook: what a proxy on the way may change without breaking the signature."""
    for name, value in current.get().unsigned.items():
        request.headers[name] = value


def take_answer(response_dict: dict[str, Any], **_: Any) -> None:
    """The SDK's `before-parse` hook."""
    exchange = current.get()
    exchange.status = response_dict["status_code"]
    exchange.answer_headers = response_dict["headers"]
    exchange.answer = response_dict["body"]
    if isinstance(exchange.answer, bytes):
        response_dict["body"] = b"{}"  # enough for the SDK's parser, which gets to decide about nothing
