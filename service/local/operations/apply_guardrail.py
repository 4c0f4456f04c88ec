"""ApplyGuardrail: applies the guardrail to a text without a model."""

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
    """The body of ApplyGuardrail."""

    source: Literal["INPUT", "OUTPUT"]
    content: Annotated[list[ConverseGuardContent], Meta(min_length=1)]
    output_scope: Literal["INTERVENTIONS", "FULL"] = "INTERVENTIONS"


async def apply_guardrail(request: Request) -> Response:
    """Answer ApplyGuardrail."""
    try:
        received: Any = await request.json()
    except ValueError as error:
        raise LocalRefusal("The body is not JSON.", "SerializationException") from error
    body = shapes.read(received, ApplyGuardrailBody, shapes.format_converse_error)
    text = "\n".join(part.text.text for part in body.content if part.text)
    found = guardrail.find_blocked_word(text)
    assessment = guardrail.write_assessment(text, found)
    answer = {
        "action": "GUARDRAIL_INTERVENED" if found else "NONE",
        "actionReason": "Guardrail blocked." if found else "No action.",
        "assessments": [assessment] if found or body.output_scope == "FULL" else [],
        "guardrailCoverage": assessment["invocationMetrics"]["guardrailCoverage"],
        "outputs": [{"text": guardrail.BLOCKED_MESSAGE}] if found else [],
        "usage": guardrail.count_text_units(text),
    }
    return JSONResponse(answer, headers={"x-amzn-RequestId": str(uuid4())})


def routes() -> list[Route]:
    """Return the route; Starlette has decoded the slash of a guardrail's ARN."""
    return [Route("/guardrail/{identifier:path}/version/{version}/apply", apply_guardrail, methods=["POST"])]
