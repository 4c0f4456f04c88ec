"""Mistral Large 2407 and Pixtral on InvokeModel: OpenAI's chat with words of its own.

From third-party code, not recorded: every chunk of a stream holds a `message` where OpenAI has a `delta`, and the end
is a `stop_reason`.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.json_fields import Json
from service.bedrock.wires.families.chat import messages, tool_choice, tools
from service.bedrock.wires.families.choices import ChoicesDecoder
from service.bedrock.wires.families.dialogue import accept, finished, present
from service.generation import Request


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    accept(request, model)
    said = {
        "messages": messages(request, prefill),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop_sequences),
        "tools": tools(request),
        "tool_choice": tool_choice(request, some="any"),
    }
    return finished(present(said), request, stream=stream)


class MistralChatDecoder(ChoicesDecoder):
    """Reads choices; these models write no tags."""

    tag = None
