"""Mistral 7B, Mixtral and the models of February 2024 on InvokeModel: `[INST]` prompts.

Shapes as recorded from the real Bedrock (public test suites, 2024 to 2026).
"""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, objects_of, text_of
from service.bedrock.wires.families.dialogue import Dialogue, defused, dialogue, finished, present, spaced
from service.deltas import Delta, StopReason, TextDelta
from service.generation import Request

STOP_REASONS = {"stop": StopReason.END_TURN, "length": StopReason.MAX_TOKENS}

_plain = defused(r"\[/?INST\]", r"</?s>")


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    said = {
        "prompt": prompt(dialogue(request, model, prefill, plain=_plain)),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop": list(request.stop_sequences),
    }
    return finished(present(said), request, stream=stream)


def prompt(talk: Dialogue) -> str:
    """Write the dialogue; the system prompt goes into the first instruction, for there is no place of its own."""
    system = f"{talk.system}\n\n" if talk.system else ""
    written = "<s>"
    for number, turn in enumerate(talk.turns):
        if turn.role == "user":
            written += f"[INST] {system if number == 0 else ''}{turn.text} [/INST]"
        else:
            written += f" {turn.text.strip()}</s>"
    return written + spaced(talk.opened)


class MistralPromptDecoder(ChunkDecoder):
    """Reads outputs."""

    def read(self, chunk: Json) -> list[Delta]:
        """Translate a piece, or the whole answer."""
        if "outputs" not in chunk:
            return unknown(chunk)
        deltas: list[Delta] = []
        for number, output in enumerate(objects_of(chunk["outputs"], "outputs")):
            if raw := text_of(output.get("stop_reason"), "stop_reason"):
                self.ending.stop(STOP_REASONS.get(raw, StopReason.OTHER), raw)
            if text := text_of(output.get("text"), "text"):
                deltas.append(TextDelta(self.blocks.at(number), text))
        return deltas
