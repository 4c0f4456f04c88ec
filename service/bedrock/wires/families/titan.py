"""Amazon Titan Text on InvokeModel, in the shapes recorded from the real Bedrock.

It may send a whole answer as one chunk. With a guardrail its counts are floats, and a blocked answer is one chunk with
the guardrail's message and neither a completionReason nor metrics.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, count, objects_of, text_of
from service.bedrock.wires.families.dialogue import dialogue, finished, labelled, present, spaced
from service.deltas import Delta, StopReason, TextDelta, Usage
from service.generation import Request

STOP_REASONS = {
    "FINISH": StopReason.END_TURN,
    "FINISHED": StopReason.END_TURN,
    "LENGTH": StopReason.MAX_TOKENS,
    "STOP_CRITERIA_MET": StopReason.STOP_SEQUENCE,
    "CONTENT_FILTERED": StopReason.CONTENT_FILTERED,
}


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body, in the chat style that Titan was trained on."""
    talk = dialogue(request, model, prefill)
    settings = {
        "maxTokenCount": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": list(request.stop_sequences),
    }
    said = {"inputText": labelled(talk, "User", "Bot") + spaced(talk.opened), "textGenerationConfig": present(settings)}
    return finished(present(said), request, stream=stream)


class TitanDecoder(ChunkDecoder):
    """Reads pieces of text, and the whole answer's results."""

    def read(self, chunk: Json) -> list[Delta]:
        """Translate a piece, or the results of a whole answer."""
        if "outputText" not in chunk and "results" not in chunk:
            return unknown(chunk)
        pieces = objects_of(chunk["results"], "results") if "results" in chunk else [chunk]
        deltas = [delta for piece in pieces for delta in self._piece(piece)]
        written = [count(piece.get("totalOutputTextTokenCount", piece.get("tokenCount"))) for piece in pieces]
        output = sum(number for number in written if number is not None) if any(written) else None
        return [*deltas, *self.ending.counted(Usage(count(chunk.get("inputTextTokenCount")), output))]

    def _piece(self, piece: Json) -> list[Delta]:
        if raw := text_of(piece.get("completionReason"), "completionReason"):
            self.ending.stop(STOP_REASONS.get(raw, StopReason.OTHER), raw)
        text = text_of(piece.get("outputText"), "outputText")
        return [TextDelta(self.blocks.run("text"), text)] if text else []
