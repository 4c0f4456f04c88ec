"""Converse and ConverseStream: one shape for every model."""

from functools import partial

from service.bedrock.catalog.resolution import Model
from service.local.converse import answer
from service.local.converse import request as reading
from service.local.plan import Plan


def plan(body: object, model: Model, *, streaming: bool) -> Plan:
    """Plan the answer to a request.

    Raises:
        Refused: Bedrock would not take it.
    """
    request = reading.request_of(body, model, streaming=streaming)
    echo = answer.Echo.of(request)
    return Plan(
        prompt=reading.prompt_of(request, model),
        manner=answer.manner(model),
        ids=answer.ids(model),
        writer=lambda _: answer.ConverseWriter(model, echo),
        whole=partial(answer.whole, model, echo=echo),
        wild=answer.WILD,
    )
