"""CountTokens: the input tokens of a request."""

from base64 import b64decode
from binascii import Error
from uuid import uuid4

import msgspec

from service.bedrock.catalog.resolution import Model
from service.local import converse, families, meter
from service.local.refusal import LocalRefusal
from service.local.wire.send import LocalRequest


async def answer_count_tokens(request: LocalRequest, body: object, model: Model) -> None:
    """Answer CountTokens.

    Raises:
        LocalRefusal: the input is neither InvokeModel's nor Converse's, or the model rejects it.
    """
    received = body.get("input") if isinstance(body, dict) else None
    if not isinstance(received, dict) or len(received) != 1:
        raise LocalRefusal("The input field must set one of the following keys: converse, invokeModel.")
    if "converse" in received:
        prompt = converse.plan(received["converse"], model, streaming=False).prompt
    elif isinstance(received.get("invokeModel"), dict):
        try:
            inner = msgspec.json.decode(b64decode(str(received["invokeModel"].get("body", "")), validate=True))
        except (Error, ValueError, RecursionError) as error:
            raise LocalRefusal("The value at input.invokeModel.body is not JSON in base64.") from error
        prompt = families.plan(inner, model, request, streaming=False).prompt
    else:
        raise LocalRefusal("The input field must set one of the following keys: converse, invokeModel.")
    request.call.status = 200
    answer = msgspec.json.encode({"inputTokens": meter.count_tokens(prompt)})
    headers = [
        ("content-type", "application/json"),
        ("x-amzn-RequestId", str(uuid4())),
        ("content-length", str(len(answer))),
    ]
    await request.exchange.start(200, headers)
    await request.exchange.finish(answer)
