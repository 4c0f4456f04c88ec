"""What Bedrock's runtime does with a request: finds its model, understands it, and has it answered."""

import asyncio

import msgspec

from service.local import converse, families, models
from service.local.operations import count_tokens
from service.local.refusal import LocalRefusal
from service.local.wire.send import Job, send_stream, send_whole

_CODES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
"""What a fault's bare status is called; any other is a proxy's, in HTML."""

_EOL = "This model version has reached the end of its life. Please refer to the AWS documentation for more details."


async def run(job: Job) -> None:
    """Answer one request.

    Raises:
        Refused: Bedrock's HTTP error for it.
    """
    await _begin(job)
    body = _json(job.body)
    model = models.find(job.model_id, counting=job.operation == "count-tokens")
    match job.operation:
        case "converse":
            await send_whole(job, converse.plan(body, model, streaming=False))
        case "converse-stream":
            if not model.on("converse").streams:
                raise LocalRefusal("The model is unsupported for streaming.")
            await send_stream(job, converse.plan(body, model, streaming=True))
        case "invoke" | "invoke-with-response-stream" if models.is_hidden(job.model_id):
            streaming = job.operation != "invoke"
            hidden = families.plan(body, models.behind(body), job, streaming=streaming)
            await (send_stream if streaming else send_whole)(job, hidden)
        case "invoke":
            await send_whole(job, families.plan(body, model, job, streaming=False))
        case "invoke-with-response-stream":
            await send_stream(job, families.plan(body, model, job, streaming=True))
        case _:
            await count_tokens.count(job, body, model)


async def _begin(job: Job) -> None:
    """Do what is to happen before the headers: wait, or refuse."""
    for fault in job.step.faults:
        if fault.at != "headers":
            continue
        if fault.name == "gate":
            await job.call.gate()
        elif fault.name in {"slow", "pause", "slow-first"}:
            await asyncio.sleep(fault.seconds)
        elif fault.name == "stall":
            await asyncio.Event().wait()
        else:  # a cut, a drop or a reset
            await job.exchange.break_off(reset=fault.name == "reset")
    if job.step.get("eol"):
        raise LocalRefusal(_EOL, "ResourceNotFoundException")
    if failed := job.step.value("http"):
        await _fail(job, failed)


async def _fail(job: Job, failed: str) -> None:
    message, after = job.step.value("message"), job.step.value("retry-after")
    if not failed.isdecimal():
        status = job.step.value("status")
        members = {"originalStatusCode": int(status)} if status else {}
        raise LocalRefusal(message, failed, retry_after=after, members=members)
    code = _CODES.get(int(failed), "")
    raise LocalRefusal(message, code, status=int(failed), retry_after=after)


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body or b"{}")
    except (ValueError, RecursionError) as mistake:
        raise LocalRefusal("Malformed input request, please reformat your input and try again.") from mistake
