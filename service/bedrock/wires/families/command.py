"""Cohere Command and Command Light on InvokeModel, in the shapes recorded from the real Bedrock.

Without `"stream": true` in its body a streaming call sends the whole answer as one chunk (recorded), so both are read.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, objects_of, text_of
from service.bedrock.wires.families.dialogue import Dialogue, dialogue, finished, labelled, present, spaced
from service.deltas import Delta, StopReason, TextDelta
from service.generation import Request

STOP_REASONS = {
    "COMPLETE": StopReason.END_TURN,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "ERROR_LIMIT": StopReason.MAX_TOKENS,
    "STOP_SEQUENCE": StopReason.STOP_SEQUENCE,
    "ERROR_TOXIC": StopReason.CONTENT_FILTERED,
}


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    said = {
        "prompt": prompt(dialogue(request, model, prefill)),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "p": request.top_p,
        "k": request.top_k,
        "stop_sequences": list(request.stop_sequences),
        "stream": stream or None,
    }
    return finished(present(said), request, stream=stream)


def prompt(talk: Dialogue) -> str:
    """Write a single turn as it is; names stand before the turns of a longer dialogue."""
    if len(talk.turns) == 1 and not talk.opened:
        return f"{talk.system}\n\n{talk.turns[0].text}" if talk.system else talk.turns[0].text
    return labelled(talk, "User", "Chatbot") + spaced(talk.opened)


class CommandDecoder(ChunkDecoder):
    """Reads pieces of text; `index` stands in them where more than one generation was asked for."""

    def read(self, chunk: Json) -> list[Delta]:
        """Translate a piece, or the generations of a whole answer."""
        if "generations" in chunk:
            generations = objects_of(chunk["generations"], "generations")
            return [delta for number, one in enumerate(generations) for delta in self._piece(one, number)]
        if "is_finished" in chunk:
            return self._piece(chunk, chunk.get("index", 0))
        return unknown(chunk)

    def _piece(self, piece: Json, number: object) -> list[Delta]:
        if raw := text_of(piece.get("finish_reason"), "finish_reason"):
            self.ending.stop(STOP_REASONS.get(raw, StopReason.OTHER), raw)
        elif piece.get("is_finished") is True:
            self.ending.stop(StopReason.OTHER, None)
        text = text_of(piece.get("text"), "text")
        return [TextDelta(self.blocks.at(str(number)), text)] if text else []
