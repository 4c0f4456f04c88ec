"""CountTokens: what a request would cost to read, without asking the model."""

from base64 import b64decode
from binascii import Error
from typing import Any
from uuid import uuid4

import msgspec

from service.bedrock.catalog.resolution import Model
from service.local import converse, families, meter
from service.local.refusal import LocalRefusal
from service.local.wire.send import Job


async def count(job: Job, body: object, model: Model) -> None:
    """Answer CountTokens.

    Raises:
        Refused: the input is neither InvokeModel's nor Converse's, or one that the model would refuse.
    """
    asked: dict[str, Any] = body if isinstance(body, dict) else {}
    given = asked.get("input")
    if not isinstance(given, dict) or len(given) != 1:
        raise LocalRefusal("The input field must set one of the following keys: converse, invokeModel.")
    if "converse" in given:
        prompt = converse.plan(given["converse"], model, streaming=False).prompt
    elif isinstance(given.get("invokeModel"), dict):
        prompt = families.plan(_inner(given["invokeModel"]), model, job, streaming=False).prompt
    else:
        raise LocalRefusal("The input field must set one of the following keys: converse, invokeModel.")
    job.call.status = 200
    answer = msgspec.json.encode({"inputTokens": meter.count(prompt)})
    headers = [
        ("content-type", "application/json"),
        ("x-amzn-RequestId", str(uuid4())),
        ("content-length", str(len(answer))),
    ]
    await job.exchange.start(200, headers)
    await job.exchange.finish(answer)


def _inner(given: dict[str, Any]) -> object:
    try:
        return msgspec.json.decode(b64decode(str(given.get("body", "")), validate=True))
    except (Error, ValueError, RecursionError) as mistake:
        raise LocalRefusal("The value at input.invokeModel.body is not JSON in base64.") from mistake
