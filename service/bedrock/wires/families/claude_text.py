r"""Claude 1, 2 and Instant on InvokeModel: text completions between `\n\nHuman:` and `\n\nAssistant:`.

Shapes as recorded from the real Bedrock (public test suites, 2023 to 2026).
"""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, text_of
from service.bedrock.wires.families.dialogue import defused, dialogue, finished, present, spaced
from service.deltas import Delta, StopReason, TextDelta
from service.generation import Request

HUMAN = "\n\nHuman:"
ASSISTANT = "\n\nAssistant:"
MOST_TOKENS = 4096  # max_tokens_to_sample is required; what the documentation advises as the most

_plain = defused(r"(?<=\n\n)(Human|Assistant):")


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body. The system prompt stands in the first turn, for the prompt has to begin with `Human`."""
    talk = dialogue(request, model, prefill, plain=_plain)
    texts = [turn.text for turn in talk.turns]
    if talk.system:
        texts[0] = f"{talk.system}\n\n{texts[0]}"
    names = {"user": HUMAN, "assistant": ASSISTANT}
    said_so_far = "".join(f"{names[turn.role]} {text}" for turn, text in zip(talk.turns, texts, strict=True))
    said = {
        "anthropic_version": "bedrock-2023-05-31",
        "prompt": said_so_far + ASSISTANT + spaced(talk.opened),
        "max_tokens_to_sample": request.max_tokens or MOST_TOKENS,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": [HUMAN, *request.stop_sequences],
    }
    return finished(present(said), request, stream=stream)


class ClaudeTextDecoder(ChunkDecoder):
    """Reads completions; each chunk may be the last."""

    def read(self, chunk: Json) -> list[Delta]:
        """Translate a piece of the completion."""
        if "completion" not in chunk:
            return unknown(chunk)
        if chunk.get("stop_reason") is not None:
            self._stopped(text_of(chunk["stop_reason"], "stop_reason"), chunk.get("stop"))
        text = text_of(chunk["completion"], "completion")
        return [TextDelta(self.blocks.run("text"), text)] if text else []

    def _stopped(self, raw: str, stop: object) -> None:
        if raw == "max_tokens":
            self.ending.stop(StopReason.MAX_TOKENS, raw)
        elif raw != "stop_sequence":
            self.ending.stop(StopReason.OTHER, raw)
        elif stop in {HUMAN, None}:  # a natural end too is a stop sequence: the one that we asked for
            self.ending.stop(StopReason.END_TURN, raw)
        else:
            self.ending.stop(StopReason.STOP_SEQUENCE, raw, stop if isinstance(stop, str) else None)
