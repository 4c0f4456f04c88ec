"""Amazon Nova on InvokeModel: Converse's messages and events with a frame of its own.

Shapes as recorded from the real Bedrock (public test suites, 2024-12 to 2026-09). Each chunk is an object with one key,
and every piece of text is a block of its own, so that a tool's block may stand at index 24. What Nova 1 thinks aloud
between `<thinking>` tags stays in the text, where Converse has it too.
"""

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, Ending
from service.bedrock.json_fields import ADDED, Json, object_of, objects_of
from service.bedrock.rules import reasoning
from service.bedrock.wires.converse.answer import blocks_of
from service.bedrock.wires.converse.events import EventReader
from service.bedrock.wires.converse.members import stop_of, timing_of, trace_of, usage_of
from service.bedrock.wires.converse.messages import cache_point, messages
from service.bedrock.wires.converse.tools import tools
from service.bedrock.wires.families.dialogue import accept, finished, present
from service.bedrock.words import merged
from service.deltas import Delta, Stop, Usage
from service.generation import Request, Text


def body(request: Request, model: Model, *, stream: bool, prefill: str = "") -> Json:
    """Build the body."""
    accept(request, model)
    offer = tools(request, model)
    system = [{"text": block.text} if isinstance(block, Text) else cache_point(block) for block in request.system]
    said = {
        "schemaVersion": "messages-v1",
        "messages": messages(request, model, prefill),
        "system": [*system, {"text": offer.system}] if offer.system else system,
        "inferenceConfig": _inference(request, model),
        "toolConfig": offer.config,
    }
    return finished(merged(present(said), reasoning.fields(request, model, "invoke")), request, stream=stream)


def _inference(request: Request, model: Model) -> Json:
    said: Json = {"topK": request.top_k, "stopSequences": list(request.stop_sequences)}
    if not reasoning.unbounded(request, model, "invoke"):
        said |= {"maxTokens": request.max_tokens, "temperature": request.temperature, "topP": request.top_p}
    return present(said)


class _Events(EventReader):
    """Reads Nova's events: pieces of text that follow each other are one block, and the ending is the family's."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self._ending = ending

    def index(self, wire_index: int, kind: str) -> int:
        return self.blocks.run(kind) if kind in {"text", "reasoning"} else self.blocks.at(wire_index)

    def stopped(self, stop: Stop) -> list[Delta]:
        self._ending.stop(stop.reason, stop.raw, stop.sequence)
        return []

    def counted(self, usage: Usage) -> list[Delta]:
        return self._ending.counted(usage)


class NovaDecoder(ChunkDecoder):
    """Reads events, and the whole answer."""

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:
        super().__init__(request, model, prefill)
        self._events = _Events(self.ending)

    def read(self, chunk: Json) -> list[Delta]:
        """Translate the events of a chunk, of which there is one."""
        if "output" in chunk:
            return self._answer(chunk)
        return [delta for kind, said in chunk.items() if kind not in ADDED for delta in self._events.read(kind, said)]

    def _answer(self, said: Json) -> list[Delta]:
        message = object_of(object_of(said["output"], "output").get("message"), "message")
        stop = stop_of(said)
        self.ending.stop(stop.reason, stop.raw, stop.sequence)
        counted = self.ending.counted(usage_of(said["usage"])) if said.get("usage") is not None else []
        return [*blocks_of(objects_of(message.get("content"), "content")), *counted, *timing_of(said), *trace_of(said)]
