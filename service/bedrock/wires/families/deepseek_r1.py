"""DeepSeek R1 on InvokeModel: a raw prompt that opens the reasoning, which the answer closes with `</think>`.

From documentation and third-party code; imported distills answer with `generation`, as Llama does.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.json_fields import Json
from service.bedrock.wires.families.choices import ChoicesDecoder
from service.bedrock.wires.families.dialogue import defused, dialogue, finished, present
from service.bedrock.wires.families.tags import Tagged
from service.deltas import Delta
from service.generation import Request

BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"  # noqa: RUF001 - the model's own wide bars
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"  # noqa: RUF001
THINK = "<think>\n"
NO_THOUGHT = "<think>\n\n</think>\n\n"
"""What stands before an answer that is gone on from: its reasoning is over, and was not kept."""

_plain = defused(r"<｜[^｜<>]*｜>")  # noqa: RUF001


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    talk = dialogue(request, model, prefill, plain=_plain)
    turns = "".join(
        f"{USER}{turn.text}" if turn.role == "user" else f"{ASSISTANT}{turn.text}{END}" for turn in talk.turns
    )
    opened = NO_THOUGHT + talk.opened if talk.opened else THINK
    said = {
        "prompt": f"{BEGIN}{talk.system}{turns}{ASSISTANT}{opened}",
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop_sequences),
    }
    return finished(present(said), request, stream=stream)


class DeepSeekR1Decoder(ChoicesDecoder):
    """Reads pieces of text: reasoning up to the tag, unless the prompt has closed it already."""

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:
        super().__init__(request, model, prefill)
        opened = bool(prefill) or request.messages[-1].role == "assistant"
        self._tagged = None if opened else Tagged("think", "from the start")

    def read(self, chunk: Json) -> list[Delta]:
        """Translate a chunk; a distill's is a choice without its frame."""
        if "generation" in chunk and "choices" not in chunk:
            choice = {"text": chunk["generation"], "stop_reason": chunk.get("stop_reason")}
            return super().read({**chunk, "choices": [choice]})
        return super().read(chunk)
