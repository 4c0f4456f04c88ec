"""OpenAI's chat shape on InvokeModel: gpt-oss, GPT, Jamba, Qwen, DeepSeek V3, Writer and all newer ones.

Recorded for gpt-oss and GPT (2026-09) and, whole, for Jamba; the others from documentation and third-party code, so
their decoder takes reasoning wherever it may come: in a member of its own or between `<think>` tags.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.json_fields import Json
from service.bedrock.rules import reasoning
from service.bedrock.wires.families.chat import messages, tool_choice, tools
from service.bedrock.wires.families.choices import ChoicesDecoder
from service.bedrock.wires.families.dialogue import accept, finished, present
from service.bedrock.wires.families.tags import Tagged
from service.generation import Request


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    accept(request, model)
    openai = model.provider == "openai"
    said = {
        "messages": messages(request, prefill),
        "max_completion_tokens" if openai else "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop": list(request.stop_sequences),
        "tools": tools(request),
        "tool_choice": tool_choice(request, some="required"),
        "parallel_tool_calls": request.parallel_tool_calls,
        "response_format": _response_format(request),
    }
    if openai and stream:  # must agree with the operation; without the option the numbers are in the metrics alone
        said |= {"stream": True, "stream_options": {"include_usage": True}}
    return finished(present(said) | reasoning.fields(request, model, "invoke"), request, stream=stream)


def _response_format(request: Request) -> Json | None:
    if request.output_schema is None:
        return None
    schema = {"name": request.output_schema_name or "answer", "schema": request.output_schema}
    return {"type": "json_schema", "json_schema": schema}


class OpenAIChatDecoder(ChoicesDecoder):
    """Reads choices, with reasoning between the tags that the model is known to write."""

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:
        super().__init__(request, model, prefill)
        tag = model.reasoning_tag or (None if model.listed else "think")
        self._tagged = None if tag is None else Tagged(tag, "anywhere" if tag == "reasoning" else "at the start")
