"""Converse and ConverseStream: one format for all models."""

from service.bedrock.catalog.resolution import Model
from service.local.converse import answer
from service.local.converse import request as reading
from service.local.plan import Plan


def plan(body: object, model: Model, *, streaming: bool) -> Plan:
    """Plan the answer to a request.

    Raises:
        LocalRefusal: Bedrock rejects the request.
    """
    request = reading.parse_request(body, model, streaming=streaming)
    echo = answer.EchoedFields.of(request)
    return Plan(
        prompt=reading.build_prompt(request, model),
        chunking=answer.chunking_of(model),
        id_prefix=answer.call_id_prefix(model),
        make_writer=lambda _: answer.ConverseWriter(model, echo),
        unknown_frame=answer.UNKNOWN_DELTA,
    )
