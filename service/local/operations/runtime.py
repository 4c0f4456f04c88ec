"""The operations of Bedrock's runtime: find the model, plan the answer, send it."""

import asyncio

import msgspec

from service.local import converse, families, models
from service.local.operations import count_tokens
from service.local.refusal import LocalRefusal
from service.local.wire.send import LocalRequest, send_stream, send_whole

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
"""The codes of HTTP statuses in a fault; other statuses get a proxy's HTML page."""

_EOL = "This model version has reached the end of its life. Please refer to the AWS documentation for more details."


async def run(request: LocalRequest) -> None:
    """Answer one request.

    Raises:
        LocalRefusal: Bedrock's HTTP error.
    """
    await _inject_before_headers(request)
    try:
        body = msgspec.json.decode(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise LocalRefusal("Malformed input request, please reformat your input and try again.") from error
    model = models.find_model(request.model_id, counting=request.operation == "count-tokens")
    match request.operation:
        case "converse":
            await send_whole(request, converse.plan(body, model, streaming=False))
        case "converse-stream":
            if not model.on("converse").streams:
                raise LocalRefusal("The model is unsupported for streaming.")
            await send_stream(request, converse.plan(body, model, streaming=True))
        case "invoke" | "invoke-with-response-stream" if models.is_opaque_arn(request.model_id):
            streaming = request.operation != "invoke"
            hidden = families.plan(body, models.guess_model(body), request, streaming=streaming)
            await (send_stream if streaming else send_whole)(request, hidden)
        case "invoke":
            await send_whole(request, families.plan(body, model, request, streaming=False))
        case "invoke-with-response-stream":
            await send_stream(request, families.plan(body, model, request, streaming=True))
        case _:
            await count_tokens.answer_count_tokens(request, body, model)


async def _inject_before_headers(request: LocalRequest) -> None:
    """Inject the faults before the headers: delays and errors."""
    for fault in request.step.faults:
        if fault.at != "headers":
            continue
        if fault.name == "gate":
            await request.call.gate()
        elif fault.name in {"slow", "pause", "slow-first"}:
            await asyncio.sleep(fault.seconds)
        elif fault.name == "stall":
            await asyncio.Event().wait()
        else:  # a cut, a drop or a reset
            await request.exchange.break_connection(reset=fault.name == "reset")
    if request.step.get("eol"):
        raise LocalRefusal(_EOL, "ResourceNotFoundException")
    if error := request.step.value("http"):
        message, after = request.step.value("message"), request.step.value("retry-after")
        if error.isdecimal():
            raise LocalRefusal(message, _CODES.get(int(error), ""), status=int(error), retry_after=after)
        status = request.step.value("status")
        members = {"originalStatusCode": int(status)} if status else {}
        raise LocalRefusal(message, error, retry_after=after, members=members)
