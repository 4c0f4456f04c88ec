"""Converse and ConverseStream: one shape for every model."""

from functools import partial

from service.bedrock.catalog import Model
from service.local.converse import reading, speaking
from service.local.plan import Plan


def plan(body: object, model: Model, *, streaming: bool) -> Plan:
    """Plan the answer to a request.

    Raises:
        Refused: Bedrock would not take it.
    """
    request = reading.request_of(body, model, streaming=streaming)
    echo = speaking.Echo.of(request)
    return Plan(
        prompt=reading.prompt_of(request, model),
        manner=speaking.manner(model),
        ids=speaking.ids(model),
        writer=lambda _: speaking.Events(model, echo),
        whole=partial(speaking.whole, model, echo=echo),
        wild=speaking.WILD,
    )
