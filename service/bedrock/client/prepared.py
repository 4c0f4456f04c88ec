"""A call that the SDK has made once, made again with another body: signed by its signer, sent by its HTTP session.

What the SDK does around those two for every call is events that nobody here listens to (no retries, no parsing of
answers, no history) and work with the same outcome each time: the user agent, the headers in three shapes, a request
that is prepared whole for its body to be told. That was 9,900 bytecodes of 13,700 (`sys.settrace`, aiobotocore 2.25.1,
2026-11-24).
"""

from functools import lru_cache
from http import HTTPStatus
from typing import Any

from botocore.auth import _host_from_url
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.handlers import add_retry_headers

from service.bedrock.client.exchange import Prepared, SdkExchange


class _Ready(AWSRequest):  # type: ignore[misc] # the SDK has no types
    """What the signer is given: headers that are a dict, each under the one name it has, and a body that is bytes.

    With `Host` among the headers: otherwise the signer reads it out of the address, twice a call (900 bytecodes).
    """

    def __init__(self, params: dict[str, Any]) -> None:
        self.method = params["method"]
        self.url = params["url"]
        self.headers = {"Host": _host(self.url), **params["headers"]}
        self.data = params["body"]
        self.params: dict[str, str] = {}
        self.auth_path = params.get("auth_path")
        self.context = params["context"]

    @property
    def body(self) -> Any:
        """The body as it goes out."""
        return self.data


_host = lru_cache(maxsize=512)(_host_from_url)


async def repeat(sdk: Any, prepared: Prepared, exchange: SdkExchange) -> None:
    """Send the body and the headers of an exchange, and note the answer in it. `sdk` is the client that prepared it."""
    operation = prepared.operation
    request = _Ready(prepared.with_body_of(exchange))
    sdk._endpoint._update_retries_context(request.context, 1)  # noqa: SLF001 - it has no public way to sign and send
    await sdk._request_signer.sign(operation.name, request)  # noqa: SLF001 - the same
    add_retry_headers(request)  # unsigned, as a number that a proxy may change
    headers = {**request.headers, "Content-Length": str(len(exchange.body or b"")), **exchange.unsigned}
    streams = operation.has_event_stream_output or operation.has_streaming_output
    answer = await sdk._endpoint.http_session.send(  # noqa: SLF001 - the same
        AWSPreparedRequest(request.method, request.url, headers, request.data, streams)
    )
    exchange.status = answer.status_code
    exchange.answer_headers = answer.headers
    refused = exchange.status >= HTTPStatus.MULTIPLE_CHOICES
    exchange.answer = answer.raw if streams and not refused else await answer.content
