"""`/v1/messages`: Anthropic's Messages, answered by any model of Bedrock."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Header, Response
from fastapi import Request as HttpRequest

from service.bedrock import estimate
from service.bedrock.rules import parameters
from service.deltas import Failed
from service.dialects import anthropic_messages
from service.dialects.table import Name
from service.errors import UpstreamError
from service.generation import Request
from service.http.client_disconnect import unless_disconnected
from service.http.compat import CompatRequest, CompatRequestDep
from service.http.openapi import compat
from service.http.resume import StreamRoute
from service.http.stream_response import GenerationFailed

Json = dict[str, Any]

_CANNOT_COUNT = "support counting tokens"  # "The provided model doesn't …" (recorded)


class MessagesRoute(StreamRoute):
    """Comes back in this format, whose events carry ids."""

    dialect: ClassVar[Name] = "messages"


router = APIRouter(prefix="/v1/messages", tags=["Anthropic"], route_class=MessagesRoute)


async def _betas(
    request: HttpRequest,
    _: Annotated[
        str | None, Header(alias="anthropic-beta", description="Passed on, without those that Bedrock refuses")
    ] = None,
    __: Annotated[
        str | None, Header(alias="anthropic-version", description="`2023-06-01` and `2026-10-21` are read alike")
    ] = None,
) -> list[str]:
    return request.headers.getlist("anthropic-beta")


Betas = Annotated[list[str], Depends(_betas)]


@router.post(
    "",
    summary="Answer a conversation, as Anthropic's Messages do",
    responses=compat.MESSAGE,
    openapi_extra=compat.body("MessagesRequestBody"),
)
async def create(asking: CompatRequestDep, betas: Betas) -> Response:
    """Answer with one message, or with `stream: true` with its events."""
    parsed = await _parsed(asking, betas)
    log = await asking.start(parsed, "messages")
    return await asking.answer(log, "messages", stream=parsed.stream)


@router.post(
    "/count_tokens",
    summary="Count the tokens of a request",
    responses=compat.COUNT,
    openapi_extra=compat.body("MessagesRequestBody"),
)
async def count_tokens(asking: CompatRequestDep, betas: Betas) -> Json:
    """Ask Bedrock, which bills nothing for it. Where the model cannot count, it is an estimate and says so.

    It counts as a request of the key, is given up after 10 s, and ends with the client.
    """
    wanted = asking.with_setup((await _parsed(asking, betas)).request)
    return await unless_disconnected(asking.request.receive, _count(asking, wanted))


async def _count(asking: CompatRequest, wanted: Request) -> Json:
    engine, caller = asking.engine, asking.caller
    target = await engine.resolve(wanted, caller)
    kept, _ = parameters.lenient(wanted, target)
    try:
        return {"input_tokens": await engine.count_tokens(kept, target, caller)}
    except UpstreamError as error:
        if error.code.name == "validation" and _CANNOT_COUNT in (error.aws_message or ""):
            return {"input_tokens": estimate.tokens(kept), "estimated": True}
        raise _untried(error) from error


async def _parsed(asking: CompatRequest, betas: list[str]) -> anthropic_messages.MessagesRequest:
    default = asking.engine.settings.default_model_id
    parse = anthropic_messages.parse
    return await asking.read("messages", lambda given: parse(given, betas=betas, default_model_id=default))


def _untried(error: UpstreamError) -> GenerationFailed:
    """Tell of a call that was made once: whether to repeat it is the client's affair."""
    retry_after = error.retry_after
    return GenerationFailed(Failed(error.code.name, error.message, error.status, error.retryable, False, retry_after))
