"""The one door to Bedrock: a request in, batches of deltas out, each batch what one read of the network brought."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from service.bedrock.catalog import resolution
from service.bedrock.catalog.profiles import Profiles
from service.bedrock.catalog.resolution import Alias, Target
from service.bedrock.client import BedrockClient, Operation, Response, SdkCall
from service.bedrock.response import StreamedAnswer, UpstreamResponse, WholeAnswer, expect_frames
from service.bedrock.wires.families import wire_of
from service.errors import InvalidRequest, UpstreamError
from service.generation import LARGE_BYTES, Request

_OPERATIONS: dict[tuple[str, bool], Operation] = {
    ("converse", True): "ConverseStream",
    ("converse", False): "Converse",
    ("invoke", True): "InvokeModelWithResponseStream",
    ("invoke", False): "InvokeModel",
}
_COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")
"""The members of a Converse body that CountTokens takes."""


def operation_of(target: Target) -> Operation:
    """Name the call that a target takes."""
    return _OPERATIONS[target.api, target.streams]


class Upstream:
    """Bedrock, as the engine sees it."""

    def __init__(
        self,
        client: BedrockClient,
        *,
        aliases: Mapping[str, Alias] | None = None,
        api: Literal["auto", "converse", "invoke"] = "auto",
    ) -> None:
        self._client = client
        self._aliases = aliases or {}
        self._api = api
        self._profiles = Profiles(client)

    @property
    def region(self) -> str | None:
        """The region that is called."""
        return self._client.region

    def asks(self, model_id: str) -> bool:
        """Whether `resolve` has to call the control plane for a model."""
        if not resolution.hidden_family(model_id, self._aliases):
            return False
        arn, _ = self._aliases.get(model_id, (model_id, None))
        return not self._profiles.knows(arn)

    async def resolve(self, request: Request) -> Target:
        """Choose what to call for a request; asks the control plane, once, where an ARN hides its family.

        Raises:
            InvalidRequest: an alias names a family that does not exist.
        """
        hidden = None
        if resolution.hidden_family(request.model_id, self._aliases):
            arn, _ = self._aliases.get(request.model_id, (request.model_id, None))
            hidden = await self._profiles.behind(arn)
        return resolution.resolve(request, api=self._api, aliases=self._aliases, hidden=hidden)

    def open(self, request: Request, target: Target, prefill: str = "") -> "UpstreamCall":
        """Call the model; leaving the block closes the call. `prefill` is the answer so far, to be gone on from.

        Entering the block raises:
            InvalidRequest: the request holds what the model's family has no words for.
            UpstreamError: Bedrock refused before its first frame.
        """
        return UpstreamCall(self, request, target, prefill)

    async def count_tokens(self, request: Request, target: Target) -> int:
        """Ask how many tokens the request has. Bedrock charges nothing for it, and not every model can."""
        body = wire_of(target).body(request, target.model, stream=False)
        if target.api == "converse":
            counted: dict[str, Any] = {"converse": {name: body[name] for name in _COUNTED if name in body}}
        else:
            counted = {"invokeModel": {"body": base64.b64encode(_encoded(body)).decode()}}
        call = SdkCall("CountTokens", target.base_id, _encoded({"input": counted}), _headers(request, "converse"))
        response = await self._client.count_tokens(call)
        try:
            tokens: int = _parse_count(await response.read_all()).inputTokens
        except ValueError as mistake:
            raise UpstreamError("upstream_corrupt", request_id=response.request_id) from mistake
        return tokens

    async def send(self, operation: Operation, request: Request, target: Target, body: bytes) -> Response:
        """Send a body, and wait for the headers of the answer."""
        call = SdkCall(operation, target.model_id, body, _headers(request, target.api))
        try:
            return await self._client.send(call)
        except UpstreamError as refusal:
            if refusal.code.name == "model_not_found" and (names := resolution.nearest(target.model_id)):
                refusal.message = f"{refusal.message} The nearest models of the catalogue: {', '.join(names)}."
            raise


class UpstreamCall:
    """One call while its block lasts. A class and no generator, which takes 200 bytecodes to enter and to leave."""

    __slots__ = ("_prefill", "_request", "_response", "_target", "_upstream")

    def __init__(self, upstream: Upstream, request: Request, target: Target, prefill: str) -> None:
        self._upstream = upstream
        self._request = request
        self._target = target
        self._prefill = prefill

    async def __aenter__(self) -> UpstreamResponse:
        request, target, family = self._request, self._target, wire_of(self._target)

        def body() -> bytes:
            return _encoded(family.body(request, target.model, stream=target.streams, prefill=self._prefill))

        content = await asyncio.to_thread(body) if request.size_bytes > LARGE_BYTES else body()
        self._response = response = await self._upstream.send(operation_of(target), request, target, content)
        try:
            decoder = family.decoder(request, target.model, prefill=self._prefill)
            if not target.streams:
                return WholeAnswer(response, decoder)
            expect_frames(response)
            return StreamedAnswer(response, target.api, decoder)
        except BaseException:
            response.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._response.close()


class _Count(msgspec.Struct):
    inputTokens: int  # noqa: N815 -- Bedrock's name


_parse_count = msgspec.json.Decoder(_Count).decode


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError as mistake:  # half of a surrogate pair, which JSON's escapes can write
        raise InvalidRequest("The request holds a character that is not one.", status=400) from mistake


_TRACES = {"enabled": "ENABLED", "disabled": "DISABLED", "enabled_full": "ENABLED_FULL"}


def _headers(request: Request, api: str) -> dict[str, str]:
    """What stands in no body: a fault for the built-in Bedrock, and what Converse would take in its own."""
    wanted: dict[str, Any] = {"X-Artesian-Fault": request.fault}
    if api == "invoke":
        guardrail, tier, speed = (
            request.guardrail,
            request.extra.get("serviceTier"),
            request.extra.get("performanceConfig"),
        )
        wanted |= {
            "X-Amzn-Bedrock-GuardrailIdentifier": guardrail and guardrail.id,
            "X-Amzn-Bedrock-GuardrailVersion": guardrail and guardrail.version,
            "X-Amzn-Bedrock-Trace": guardrail and _TRACES.get(guardrail.trace or ""),
            "X-Amzn-Bedrock-Request-Metadata": json.dumps(request.metadata) if request.metadata else None,
            "X-Amzn-Bedrock-Service-Tier": isinstance(tier, dict) and tier.get("type"),
            "X-Amzn-Bedrock-PerformanceConfig-Latency": isinstance(speed, dict) and speed.get("latency"),
        }
    headers = {name: value for name, value in wanted.items() if value and isinstance(value, str)}
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise InvalidRequest(f"The value for {name} holds a character that no header can carry.", status=400)
    return headers
