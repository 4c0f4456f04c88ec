"""Translate the SDK's exceptions into ours."""

from botocore import exceptions as sdk

from service.bedrock.aws_errors import refused, without_accounts
from service.bedrock.client.exchange import SdkExchange
from service.errors import UpstreamError

_NO_CREDENTIALS = (
    "There are no usable AWS credentials: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or a profile with ARTESIAN_PROFILE, or run where a role provides them."
)
_NO_REGION = "No AWS region is set: set ARTESIAN_REGION (or AWS_REGION, AWS_DEFAULT_REGION, or one in the profile)."
_MISSING = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.UnknownCredentialError,
    sdk.MetadataRetrievalError,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.NoAuthTokenError,
    sdk.TokenRetrievalError,
    sdk.SSOError,
)

# Errors of the network, the most specific first.
_UNREACHED = {
    sdk.ProxyConnectionError: "The proxy before Bedrock cannot be reached.",
    sdk.SSLError: "Bedrock cannot be reached: the TLS connection failed.",
    sdk.ConnectTimeoutError: "Bedrock cannot be reached: the connection took too long.",
    sdk.ReadTimeoutError: "Bedrock did not answer in time.",
    sdk.ConnectionClosedError: "Bedrock dropped the connection.",
    sdk.EndpointConnectionError: "Bedrock cannot be reached: no connection to its address.",
    sdk.ConnectionError: "Bedrock cannot be reached.",
    sdk.HTTPClientError: "Bedrock cannot be reached.",
}

_UNSENT = (sdk.ProxyConnectionError, sdk.SSLError, sdk.ConnectTimeoutError, sdk.EndpointConnectionError)
"""No connection was made, so Bedrock has not seen the request."""


class sdk_errors:  # noqa: N801 - used as a context manager only
    """Raise the SDK's exceptions as ours. Cancellation passes through.

    A class, because the frame of a generator would stand in the exception's traceback and hold the exception: a cycle
    that keeps the request until the garbage collector runs.
    """

    def __init__(self, exchange: SdkExchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, (sdk.BotoCoreError, sdk.ClientError, ValueError)):
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> UpstreamError:
        exchange = self._exchange
        if isinstance(error, sdk.ClientError) and exchange.status:
            return refused(exchange.status, exchange.answer_headers, exchange.answer)
        # Without a status, another service refused: a role that may not be assumed, a token that has expired.
        if isinstance(error, (sdk.ClientError, *_MISSING)):
            return _unusable(_NO_CREDENTIALS, error)
        if isinstance(error, sdk.NoRegionError):
            return _unusable(_NO_REGION, error)
        for kind, sentence in _UNREACHED.items():
            if isinstance(error, kind):
                sent = not isinstance(error, _UNSENT)
                return UpstreamError("upstream_unavailable", sentence, aws_code=type(error).__name__, sent=sent)
        # Settings that contradict themselves or name what does not exist; the SDK's sentence says which.
        return _unusable(f"The AWS configuration cannot be used: {without_accounts(str(error))}", error)


def _unusable(sentence: str, error: Exception) -> UpstreamError:
    theirs = without_accounts(str(error))
    return UpstreamError("access_denied", sentence, aws_code=type(error).__name__, aws_message=theirs, sent=False)
