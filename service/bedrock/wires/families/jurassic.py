"""AI21 Jurassic-2 on InvokeModel, which never streamed: it is called whole. Shapes as recorded."""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, object_of, objects_of, text_of
from service.bedrock.wires.families.command import prompt
from service.bedrock.wires.families.dialogue import dialogue, finished, present
from service.deltas import Delta, StopReason, TextDelta
from service.generation import Request

STOP_REASONS = {
    "endoftext": StopReason.END_TURN,
    "length": StopReason.MAX_TOKENS,
    "stop": StopReason.STOP_SEQUENCE,
}


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    said = {
        "prompt": prompt(dialogue(request, model, prefill)),
        "maxTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": list(request.stop_sequences),
    }
    return finished(present(said), request, stream=stream)


class JurassicDecoder(ChunkDecoder):
    """Reads the whole answer; its tokens are counted in the headers alone."""

    def read(self, chunk: Json) -> list[Delta]:
        """Translate the completions."""
        if "completions" not in chunk:
            return unknown(chunk)
        deltas: list[Delta] = []
        for number, completion in enumerate(objects_of(chunk["completions"], "completions")):
            text = text_of(object_of(completion.get("data"), "data").get("text"), "text")
            if text:
                deltas.append(TextDelta(self.blocks.at(number), text))
            self._stopped(object_of(completion.get("finishReason") or {}, "finishReason"))
        return deltas

    def _stopped(self, said: Json) -> None:
        if raw := text_of(said.get("reason"), "reason"):
            self.ending.stop(STOP_REASONS.get(raw, StopReason.OTHER), raw)
