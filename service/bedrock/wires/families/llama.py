"""Meta Llama on InvokeModel: a raw prompt in the template of its generation.

Shapes as recorded from the real Bedrock (public test suites, 2023 to 2026). One recording says `length` of an answer
that ended by itself after 18 of 100 tokens; what the wire says is passed on.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, count, text_of
from service.bedrock.wires.families.dialogue import Dialogue, DialogueTurn, defused, dialogue, finished, present, spaced
from service.deltas import Delta, StopReason, TextDelta, Usage
from service.generation import Request

STOP_REASONS = {"stop": StopReason.END_TURN, "length": StopReason.MAX_TOKENS}

_plain = defused(r"<\|[a-z_]+\|>", r"\[/?INST\]", r"<</?SYS>>", r"</?s>")


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    talk = dialogue(request, model, prefill, plain=_plain)
    said = {
        "prompt": prompt(talk, model.series),
        "max_gen_len": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "images": [image for turn in talk.turns for image in turn.images],
    }
    return finished(present(said), request, stream=stream)


def prompt(talk: Dialogue, series: str) -> str:
    """Write the dialogue in a generation's template, ending where the assistant speaks."""
    if series == "llama2":
        return _second(talk)
    if series == "llama4":
        return _headed(talk, "<|header_start|>", "<|header_end|>", "<|eot|>")
    return _headed(talk, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")


def _headed(talk: Dialogue, begin: str, end: str, over: str) -> str:
    system = [DialogueTurn("system", talk.system)] if talk.system else []
    turns = "".join(
        f"{begin}{turn.role}{end}\n\n{'<|image|>' * len(turn.images)}{turn.text}{over}"
        for turn in (*system, *talk.turns)
    )
    return f"<|begin_of_text|>{turns}{begin}assistant{end}\n\n{talk.opened}"


def _second(talk: Dialogue) -> str:
    system = f"<<SYS>>\n{talk.system}\n<</SYS>>\n\n" if talk.system else ""
    written = ""
    for number, turn in enumerate(talk.turns):
        if turn.role == "user":
            written += f"<s>[INST] {system if number == 0 else ''}{turn.text} [/INST]"
        else:
            written += f" {turn.text.strip()} </s>"
    return written + spaced(talk.opened)


class LlamaDecoder(ChunkDecoder):
    """Reads generations. The prompt's tokens are in the first chunk alone; the answer's count grows with each."""

    def read(self, chunk: Json) -> list[Delta]:
        """Translate a piece, or the whole answer."""
        if "generation" not in chunk:
            return unknown(chunk)
        if raw := text_of(chunk.get("stop_reason"), "stop_reason"):
            self.ending.stop(STOP_REASONS.get(raw, StopReason.OTHER), raw)
        text = text_of(chunk["generation"], "generation")
        shown: list[Delta] = [TextDelta(self.blocks.run("text"), text)] if text else []
        counts = Usage(count(chunk.get("prompt_token_count")), count(chunk.get("generation_token_count")))
        return [*shown, *self.ending.counted(counts)]
