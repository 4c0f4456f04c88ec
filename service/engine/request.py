"""What is asked of the engine, and what of it is written down."""

from time import time

from msgspec import Struct, structs

from service.access import ceiling
from service.access.caller import Caller
from service.access.rates import USUAL_ANSWER, ExpectedUsage
from service.bedrock import estimate
from service.bedrock.catalog.resolution import Target
from service.bedrock.rules import parameters
from service.generation import Policies, Request
from service.streams.journal import IdempotencyKey
from service.streams.record import Record, new_stream_id


class GenerateRequest(Struct, frozen=True):
    """What a router asks of the engine. `options` are the dialect's own; `dropped` names what it left out.

    `lenient`: what the model would refuse is taken out instead of being refused. `archived` and `input` are the
    record's.
    """

    request: Request
    caller: Caller
    dialect: str
    policies: Policies
    options: dict[str, object] = {}
    dropped: tuple[str, ...] = ()
    key: IdempotencyKey | None = None
    lenient: bool = False
    archived: bool = False
    input: bytes = b""


def record_of(order: GenerateRequest, target: Target, fallbacks: tuple[str, ...]) -> Record:
    """Write a generation down, as its model can take it.

    Raises:
        InvalidRequest: it asks for what the model is known not to take, or for more than its key may have.
    """
    request, dropped = ceiling.apply(order.request, order.caller.max_tokens, lower=order.lenient), list(order.dropped)
    if order.lenient:
        request, more = parameters.lenient(request, target)
        dropped += more
    else:
        parameters.check(request, target)
    stream_id = new_stream_id()
    if request.fault:  # the attempts of one generation follow one script
        request = structs.replace(request, fault=f"{request.fault};key={stream_id}")
    return Record(
        stream_id=stream_id,
        caller=order.caller.id,
        created=time(),
        dialect=order.dialect,
        request=request,
        policies=order.policies,
        options=dict(order.options),
        dropped=tuple(dropped),
        fallbacks=fallbacks,
        tokens_per_minute=order.caller.tokens_per_minute,
        archived=order.archived,
        input=order.input,
    )


def wanted(request: Request) -> ExpectedUsage:
    """Estimate what a generation will use of its key's tokens."""
    return ExpectedUsage(estimate.tokens(request), answer_tokens(request))


def answer_tokens(request: Request) -> int:
    """Say how many tokens are reserved for a generation's output."""
    return request.max_tokens or USUAL_ANSWER
