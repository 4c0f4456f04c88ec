"""Amazon Bedrock over the SDK, opened once: the only importer of aioboto3, botocore and aiohttp.

The SDK finds credentials, signs and sends. Bodies are ours, put in by its `before-call` hook, so that a field newer
than its service model goes out; answers are taken at `before-parse`, as they came, because its parsers hide unknown
members, the details of exceptions, unreadable JSON and a cut (measured with aiobotocore 2.25.1, 2026-11-22).
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Literal, Self

import aioboto3
import msgspec
from aiobotocore.config import AioConfig
from msgspec import Struct

import service
from service.bedrock.aws_errors import STALE_CREDENTIALS, bare, refused
from service.bedrock.client.credentials import CredentialChain, PatientSession, deaf_session
from service.bedrock.client.errors import sdk_errors
from service.bedrock.client.exchange import (
    Prepared,
    Response,
    SdkExchange,
    add_unsigned,
    current,
    put_body,
    take_answer,
)
from service.bedrock.client.prepared import repeat
from service.bedrock.client.tap import ReadWindow
from service.errors import UpstreamError
from service.generation import LARGE_BYTES
from service.settings import Settings

__all__ = ["BedrockClient", "Endpoint", "Operation", "ReadWindow", "Response", "SdkCall", "open_client"]

Operation = Literal["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream", "CountTokens"]
_METHODS: dict[Operation, str] = {
    "Converse": "converse",
    "ConverseStream": "converse_stream",
    "InvokeModel": "invoke_model",
    "InvokeModelWithResponseStream": "invoke_model_with_response_stream",
    "CountTokens": "count_tokens",
}

_SPARE_CONNECTIONS = 8  # beside the streams: connections that are being closed
_AUXILIARY_CONNECTIONS = 8  # each for counting tokens and for the control plane, which must not take a stream's

_GENERATING, _COUNTING, _CONTROL = "generating", "counting", "control"
_SERVICES = {_GENERATING: "bedrock-runtime", _COUNTING: "bedrock-runtime", _CONTROL: "bedrock"}
"""The SDK's clients, each with connections of its own, and the service that each calls."""

_MOST_PREPARED = 512  # callers name the models
_READY_S = 1.0  # how long /readyz may look for credentials


class Endpoint(Struct, frozen=True):
    """Which Bedrock to call. `url` and `control_url` replace AWS's own addresses."""

    backend: Literal["local", "aws"]
    url: str | None = None
    control_url: str | None = None
    region: str | None = None
    profile: str | None = None

    @classmethod
    def aws(cls, settings: Settings) -> Self:
        """Amazon Bedrock, or what the settings put in its place."""
        return cls(
            "aws", settings.bedrock_endpoint_url, settings.control_endpoint_url, settings.region, settings.profile
        )

    @classmethod
    def local(cls, url: str) -> Self:
        """The built-in Bedrock, which believes any signature."""
        return cls("local", url, url, "us-east-1")


class SdkCall(Struct, frozen=True):
    """One call: `body` is JSON that is ready to be sent, `model_id` an id or an ARN as Bedrock knows it."""

    operation: Operation
    model_id: str
    body: bytes
    headers: Mapping[str, str] = {}


class BedrockClient:
    """One SDK session, and its clients for the two planes of Bedrock."""

    def __init__(
        self,
        endpoint: Endpoint,
        stack: AsyncExitStack,
        *,
        max_streams: int,
        connect_timeout: float,
        control_timeout: float,
    ) -> None:
        self.endpoint = endpoint
        self.call_headers: Callable[[], Mapping[str, str]] = dict
        """Headers that go with each call, beside what is signed: the trace it belongs to."""
        self._control_timeout = control_timeout
        self._max_streams = max_streams
        self._connect_timeout = connect_timeout
        self._stack = stack
        self._credentials = CredentialChain()
        self._found_region: str | None = None
        self._session: Any = None
        self._planes: dict[str, Any] = {}
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._opening = asyncio.Lock()

    @property
    def region(self) -> str | None:
        """The region in use; None where nobody has named one."""
        if self._found_region is None:
            with suppress(UpstreamError), sdk_errors(SdkExchange()):
                self._found_region = self._region()
        return self._found_region

    @property
    def address(self) -> str:
        """Where calls go."""
        return self.endpoint.url or f"https://bedrock-runtime.{self.region}.amazonaws.com"

    @property
    def auth_scheme(self) -> Literal["bearer", "sigv4"]:
        """How calls are authorised. A bearer key beats every other credential, explicit ones included (measured)."""
        token = self.endpoint.backend == "aws" and os.environ.get("AWS_BEARER_TOKEN_BEDROCK")
        return "bearer" if token else "sigv4"

    async def credentials_found(self) -> bool:
        """Whether there are credentials, within a second and without asking Bedrock; whether they are good it knows."""
        if self.endpoint.backend == "local" or self.auth_scheme == "bearer":
            return True
        try:
            async with asyncio.timeout(_READY_S):
                with sdk_errors(SdkExchange()):
                    self._opened_session()
                    return await self._credentials.find() is not None
        except (TimeoutError, UpstreamError):
            return False

    async def send(self, call: SdkCall) -> Response:
        """Send a call and return its answer when the headers have come; whoever gets it closes it.

        Raises:
            UpstreamError: Bedrock refused, or could not be reached.
        """
        exchange = SdkExchange(call.body, await self._signed_headers(call), self.call_headers())
        try:
            plane = _COUNTING if call.operation == "CountTokens" else _GENERATING
            if prepared := self._prepared.get((call.operation, call.model_id)):
                await self._repeat(exchange, plane, prepared)
            else:
                await self._ask(exchange, plane, _METHODS[call.operation], modelId=call.model_id)
                self._keep(call, exchange.prepared)
        except UpstreamError as error:
            if error.aws_code and bare(error.aws_code) in STALE_CREDENTIALS:
                self._credentials.forget()
            raise
        return exchange.response()

    async def count_tokens(self, call: SdkCall) -> Response:
        """Send a call that generates nothing, and wait no longer for its answer than for the control plane's.

        Raises:
            UpstreamError: Bedrock refused, could not be reached, or did not answer in time (`model_timeout`).
        """
        try:
            async with asyncio.timeout(self._control_timeout):
                return await self.send(call)
        except TimeoutError as silence:
            limit = f"{self._control_timeout:g} s"
            raise UpstreamError("model_timeout", f"Bedrock did not count the tokens within {limit}.") from silence

    async def _signed_headers(self, call: SdkCall) -> Mapping[str, str]:
        """Add a large body's hash, computed in a thread: botocore's signer takes it from this header if it is there.

        The header is signed with the others. The JavaScript SDK sends it with every call to every service.
        """
        if len(call.body) <= LARGE_BYTES or self.auth_scheme == "bearer":
            return call.headers
        digest = await asyncio.to_thread(sha256, call.body)
        return {**call.headers, "X-Amz-Content-SHA256": digest.hexdigest()}

    async def list_models(self) -> list[dict[str, Any]]:
        """The foundation models that write text, as the control plane describes them."""
        answer = await self._control("list_foundation_models", byOutputModality="TEXT")
        return _rows(answer, "modelSummaries")

    async def list_profiles(self) -> list[dict[str, Any]]:
        """All inference profiles, AWS's and the account's own; the time limit is for all pages together."""
        profiles: list[dict[str, Any]] = []
        page: dict[str, str] = {}
        with _control_silence():
            async with asyncio.timeout(self._control_timeout):
                while True:
                    answer = await self._control("list_inference_profiles", maxResults=1000, **page)
                    profiles += _rows(answer, "inferenceProfileSummaries")
                    if not (token := answer.get("nextToken")):
                        return profiles
                    page = {"nextToken": token}

    async def get_profile(self, arn: str) -> dict[str, Any]:
        """One inference profile: its `models` say what hides behind an application profile's opaque id."""
        return await self._control("get_inference_profile", inferenceProfileIdentifier=arn)

    async def _control(self, method: str, **parameters: Any) -> dict[str, Any]:
        exchange = SdkExchange()
        with _control_silence():
            async with asyncio.timeout(self._control_timeout):
                await self._ask(exchange, _CONTROL, method, **parameters)
        try:
            answer = msgspec.json.decode(await exchange.response().read_all())
        except msgspec.DecodeError as mistake:
            raise UpstreamError("upstream_corrupt", "Bedrock's list could not be read.") from mistake
        return answer if isinstance(answer, dict) else {}

    async def _ask(self, exchange: SdkExchange, plane: str, method: str, **parameters: Any) -> None:
        token = current.set(exchange)
        try:
            with sdk_errors(exchange):
                client = await self._plane(plane)
                await getattr(client, method)(**parameters)
        except BaseException:
            exchange.close()
            raise
        finally:
            exchange.body = None  # a connection that was opened on the way keeps this context, and the exchange in it
            current.reset(token)

    async def _repeat(self, exchange: SdkExchange, plane: str, prepared: Prepared) -> None:
        """Make a call as the SDK has made it before."""
        try:
            with sdk_errors(exchange):
                await repeat(self._planes[plane], prepared, exchange)
        except BaseException:
            exchange.close()
            raise
        if exchange.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise refused(exchange.status, exchange.answer_headers, exchange.answer)

    def _keep(self, call: SdkCall, prepared: Prepared | None) -> None:
        if prepared:
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.clear()
            self._prepared[call.operation, call.model_id] = prepared

    async def _plane(self, name: str) -> Any:
        """The SDK's client for one kind of call, created at its first use."""
        if opened := self._planes.get(name):
            return opened
        async with self._opening:
            if name not in self._planes:
                self._planes[name] = await self._stack.enter_async_context(self._new_plane(name))
            return self._planes[name]

    @asynccontextmanager
    async def _new_plane(self, name: str) -> AsyncIterator[Any]:
        local = self.endpoint.backend == "local"
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"} if local else {}
        url = self.endpoint.control_url if name == _CONTROL else self.endpoint.url
        connections = self._max_streams + _SPARE_CONNECTIONS if name == _GENERATING else _AUXILIARY_CONNECTIONS
        opening = self._opened_session().client(
            _SERVICES[name],
            region_name=self._region(),
            endpoint_url=url,
            config=_config(self.endpoint, connections, self._connect_timeout),
            verify=False if local else None,  # plain HTTP: no certificates to be loaded
            **keys,
        )
        async with opening as client:
            client.meta.events.register("before-call", put_body)
            client.meta.events.register("before-send", add_unsigned)
            client.meta.events.register("before-parse", take_answer)
            yield client

    def _region(self) -> str | None:
        # The SDK reads AWS_DEFAULT_REGION and the profile alone, while Lambda, ECS and other SDKs set AWS_REGION.
        session = self._opened_session()
        return self.endpoint.region or session.region_name or os.environ.get("AWS_REGION") or None

    def _opened_session(self) -> Any:
        if self._session is None:  # a profile that does not exist fails here, at each call and not at the start
            own = deaf_session() if self.endpoint.backend == "local" else PatientSession(self._credentials)
            self._session = aioboto3.Session(botocore_session=own, profile_name=self.endpoint.profile)
        return self._session


@asynccontextmanager
async def open_client(
    endpoint: Endpoint, *, max_streams: int, connect_timeout: float, control_timeout: float = 10
) -> AsyncIterator[BedrockClient]:
    """Open the client for the life of the process.

    `control_timeout` (seconds) bounds what is no generation: calls to the control plane, and counting tokens.
    Without credentials, a region or a profile that exists it opens too: then each call says what is missing.
    """
    for name in ("boto3", "botocore", "aiobotocore", "aiohttp"):
        logging.getLogger(name).setLevel(logging.INFO)  # at DEBUG they log prompts and answers
    async with AsyncExitStack() as stack:
        client = BedrockClient(
            endpoint,
            stack,
            max_streams=max_streams,
            connect_timeout=connect_timeout,
            control_timeout=control_timeout,
        )
        with suppress(UpstreamError), sdk_errors(SdkExchange()):
            await client._plane(_GENERATING)  # noqa: SLF001 -- now, since it costs a tenth of a second
        yield client


@contextmanager
def _control_silence() -> Iterator[None]:
    try:
        yield
    except TimeoutError as silence:
        raise UpstreamError("upstream_unavailable", "Bedrock's control plane did not answer in time.") from silence


def _config(endpoint: Endpoint, connections: int, connect_timeout: float) -> AioConfig:
    # In code the scheme beats a bearer key of the environment, and no proxies means none of the environment's.
    local = {"signature_version": "v4", "proxies": {}} if endpoint.backend == "local" else {}
    return AioConfig(
        connect_timeout=connect_timeout,
        read_timeout=None,  # it would arm a timer at each read; the engine's one watchdog minds silence
        max_pool_connections=connections,  # a call beyond them waits without a word
        retries={"total_max_attempts": 1, "mode": "standard"},  # the engine retries, where it is seen and counted
        parameter_validation=False,  # the body is ours
        user_agent_extra=f"artesian/{service.__version__}",
        **local,
    )


def _rows(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [row for row in answer.get(name) or [] if isinstance(row, dict)]
