"""Bedrock's HTTP errors: a code in a header, a message in the body, and a request id."""

from typing import Any
from uuid import uuid4

from msgspec import json
from starlette.responses import Response

STATUS = {
    "ValidationException": 400,
    "SerializationException": 400,
    "ServiceQuotaExceededException": 400,
    "ConflictException": 400,
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "UnrecognizedClientException": 403,
    "InvalidSignatureException": 403,
    "ResourceNotFoundException": 404,
    "FTUFormNotFilled": 404,
    "UnknownOperationException": 404,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "ModelStreamErrorException": 424,
    "ThrottlingException": 429,
    "TooManyRequestsException": 429,
    "ModelNotReadyException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}

MESSAGES = {
    "ValidationException": "The request is not valid.",
    "ServiceQuotaExceededException": "Your request exceeds the service quota for your account.",
    "AccessDeniedException": "You don't have access to the model with the specified model ID.",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
    "InvalidSignatureException": "The request signature we calculated does not match the signature you provided.",
    "FTUFormNotFilled": "Model use case details have not been submitted for this account.",
    "ResourceNotFoundException": "The resource could not be found.",
    "ModelTimeoutException": "The request took too long to process. Processing time exceeded the model timeout length.",
    "ModelErrorException": "The system encountered an unexpected error during processing. Try your request again.",
    "ModelStreamErrorException": "The model failed in the middle of its answer. Try your request again.",
    "ThrottlingException": "Too many requests, please wait before trying again.",
    "TooManyRequestsException": "Too many requests, please wait before trying again.",
    "ModelNotReadyException": "Model is not ready for inference. Wait and try your request again.",
    "InternalServerException": "The system encountered an unexpected error during processing. Try your request again.",
    "ServiceUnavailableException": "The service is temporarily unavailable.",
}


class LocalRefusal(Exception):
    """An HTTP error of Bedrock. `members`: further members of the body, beside the message."""

    def __init__(
        self,
        message: str = "",
        code: str = "ValidationException",
        *,
        status: int | None = None,
        retry_after: str = "",
        members: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message or MESSAGES.get(code, code))
        self.code = code
        self.status = status or STATUS.get(code, 400)
        self.retry_after = retry_after
        self.members = members or {}

    def response(self) -> Response:
        """Write the error as AWS does (recorded: a URL follows the code); without a code, as a proxy does."""
        if not self.code:
            page = f"<html><head><title>{self.status}</title></head><body><h1>{self.status} {self}</h1></body></html>"
            return Response(
                page, self.status, {"Retry-After": self.retry_after} if self.retry_after else None, "text/html"
            )
        headers = {
            "x-amzn-RequestId": str(uuid4()),
            "x-amzn-ErrorType": f"{self.code}:http://internal.amazon.com/coral/com.amazon.bedrock/",
        }
        if self.retry_after:
            headers["Retry-After"] = self.retry_after
        body = json.encode({"message": str(self), **self.members})
        return Response(body, self.status, headers, "application/json")
