"""ApplyGuardrail: the same guardrail, asked about a text alone."""

from typing import Annotated, Any, Literal
from uuid import uuid4

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.local import guardrail, shapes
from service.local.converse.shapes import ConverseGuardContent, ConverseShape
from service.local.refusal import LocalRefusal


class ApplyGuardrailBody(ConverseShape, frozen=True):
    """The request."""

    source: Literal["INPUT", "OUTPUT"]
    content: Annotated[list[ConverseGuardContent], Meta(min_length=1)]
    output_scope: Literal["INTERVENTIONS", "FULL"] = "INTERVENTIONS"


async def apply_guardrail(request: Request) -> Response:
    """Answer ApplyGuardrail."""
    try:
        given: Any = await request.json()
    except ValueError as mistake:
        raise LocalRefusal("The body is not JSON.", "SerializationException") from mistake
    body = shapes.read(given, ApplyGuardrailBody, shapes.converse)
    text = "\n".join(part.text.text for part in body.content if part.text)
    found = guardrail.match(text)
    assessed = guardrail.assessment(text, found)
    answer = {
        "action": "GUARDRAIL_INTERVENED" if found else "NONE",
        "actionReason": "Guardrail blocked." if found else "No action.",
        "assessments": [assessed] if found or body.output_scope == "FULL" else [],
        "guardrailCoverage": assessed["invocationMetrics"]["guardrailCoverage"],
        "outputs": [{"text": guardrail.MESSAGE}] if found else [],
        "usage": guardrail.usage(text),
    }
    return JSONResponse(answer, headers={"x-amzn-RequestId": str(uuid4())})


def routes() -> list[Route]:
    """The path; a guardrail's ARN has an encoded slash, which Starlette has decoded by then."""
    return [Route("/guardrail/{identifier:path}/version/{version}/apply", apply_guardrail, methods=["POST"])]
