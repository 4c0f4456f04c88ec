"""The seam where the SDK's exceptions become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

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

# What kept us from Bedrock, most special first.
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


@contextmanager
def sdk_errors(exchange: SdkExchange) -> Iterator[None]:
    """Raise the SDK's exceptions as ours. Cancellation passes through."""
    try:
        yield
    except sdk.ClientError as error:
        if exchange.status:
            raise refused(exchange.status, exchange.answer_headers, exchange.answer) from error
        # Another service refused what was needed on the way: a role that may not be assumed, a token that has expired.
        raise _unusable(_NO_CREDENTIALS, error) from error
    except _MISSING as error:
        raise _unusable(_NO_CREDENTIALS, error) from error
    except sdk.NoRegionError as error:
        raise _unusable(_NO_REGION, error) from error
    except tuple(_UNREACHED) as error:
        sentence = next(text for kind, text in _UNREACHED.items() if isinstance(error, kind))
        raise UpstreamError("upstream_unavailable", sentence, aws_code=type(error).__name__) from error
    except (sdk.BotoCoreError, ValueError) as error:
        # Settings that contradict themselves or name what does not exist; the SDK's sentence says which.
        sentence = f"The AWS configuration cannot be used: {without_accounts(str(error))}"
        raise _unusable(sentence, error) from error


def _unusable(sentence: str, error: Exception) -> UpstreamError:
    theirs = without_accounts(str(error))
    return UpstreamError("access_denied", sentence, aws_code=type(error).__name__, aws_message=theirs)
