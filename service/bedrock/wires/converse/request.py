"""Our request as the body of Converse and ConverseStream. Only what is set is sent."""

import json
from typing import Any

from service.bedrock.catalog import ids
from service.bedrock.catalog.model import Model
from service.bedrock.rules import reasoning
from service.bedrock.wires.converse.messages import cache_point, messages
from service.bedrock.wires.converse.tools import Tools, tools
from service.bedrock.words import merged
from service.generation import Guardrail, Request, Text

Json = dict[str, Any]

OWN_MEMBERS = ("performanceConfig", "serviceTier", "promptVariables")
"""Members of `extra` that are Converse's own; all the others are the model's."""


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body.

    Raises:
        InvalidRequest: a medium in a format that Converse does not know, or a message of nothing but blanks.
    """
    said: Json = {"messages": messages(request, model, prefill)}
    if not ids.is_prompt(model.id):  # a stored prompt brings all of this itself, and refuses ours
        said |= _of_the_model(request, model, stream=stream)
    if request.guardrail:
        said["guardrailConfig"] = _guardrail(request.guardrail, stream=stream)
    if request.metadata:
        said["requestMetadata"] = request.metadata
    return said | {name: request.extra[name] for name in OWN_MEMBERS if name in request.extra}


def _of_the_model(request: Request, model: Model, *, stream: bool) -> Json:
    offer = tools(request, model)
    members = {
        "system": _system(request, offer),
        "inferenceConfig": _inference(request, model),
        "toolConfig": offer.config,
        "additionalModelRequestFields": _fields(request, model, offer),
        "additionalModelResponseFieldPaths": _paths(request, model, stream=stream),
        "outputConfig": _output(request),
    }
    return {name: member for name, member in members.items() if member}


def _system(request: Request, offer: Tools) -> list[Json]:
    blocks = [
        {"text": block.text} if isinstance(block, Text) else cache_point(block)
        for block in request.system
        if not isinstance(block, Text) or block.text.strip()
    ]
    return [*blocks, {"text": offer.system}] if offer.system else blocks


def _inference(request: Request, model: Model) -> Json:
    said: Json = {}
    if not reasoning.unbounded(request, model, "converse"):
        said = {"maxTokens": request.max_tokens, "temperature": request.temperature, "topP": request.top_p}
    said["stopSequences"] = list(request.stop_sequences) or None
    return {name: value for name, value in said.items() if value is not None}


def _fields(request: Request, model: Model, offer: Tools) -> Json:
    """Collect what is the model's own: reasoning, top_k, Claude's betas, and whatever the caller adds."""
    said = merged(reasoning.fields(request, model, "converse"), offer.fields)
    if request.top_k is not None:
        said = merged(said, _top_k(request.top_k, model))
    if request.beta and model.family == "claude_messages":
        said["anthropic_beta"] = list(request.beta)
    return merged(said, {name: value for name, value in request.extra.items() if name not in OWN_MEMBERS})


def _top_k(number: int, model: Model) -> Json:
    if model.family == "nova":
        return {"inferenceConfig": {"topK": number}}
    return {"k" if model.family in {"command", "command_r"} else "top_k": number}


def _paths(request: Request, model: Model, *, stream: bool) -> list[str]:
    """Ask which stop sequence hit; Claude alone tells, and names it in another place when it streams."""
    if not request.stop_sequences or model.family != "claude_messages":
        return []
    return ["/delta/stop_sequence" if stream else "/stop_sequence"]


def _output(request: Request) -> Json:
    if request.output_schema is None:
        return {}
    schema: Json = {"schema": json.dumps(request.output_schema, ensure_ascii=False)}
    if request.output_schema_name:
        schema["name"] = request.output_schema_name
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _guardrail(guardrail: Guardrail, *, stream: bool) -> Json:
    said: Json = {"guardrailIdentifier": guardrail.id, "guardrailVersion": guardrail.version}
    if guardrail.trace:
        said["trace"] = guardrail.trace
    if stream and guardrail.stream_mode:
        said["streamProcessingMode"] = guardrail.stream_mode
    return said
