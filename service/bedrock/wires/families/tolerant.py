"""One reader for what hides behind an opaque ARN: it knows a family by its chunks, and reads on as that family does.

The body is OpenAI's chat, which imported models and marketplace endpoints take most widely.
"""

from collections.abc import Callable, Mapping
from typing import Any

from service.bedrock.catalog.model import Model
from service.bedrock.decoder import ChunkDecoder, unknown
from service.bedrock.json_fields import Json, object_of, raise_if_error
from service.bedrock.wires.families import (
    claude_messages,
    claude_text,
    command,
    command_r,
    jurassic,
    llama,
    mistral_prompt,
    nova,
    openai_chat,
    titan,
)
from service.deltas import Delta, TextDelta
from service.generation import Request

body = openai_chat.body

_NOVA = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "output"}
)

_SIGNS: tuple[tuple[Callable[[Json], bool], type[ChunkDecoder]], ...] = (
    (
        lambda chunk: "completion" in chunk,
        claude_text.ClaudeTextDecoder,
    ),  # before `type`, which old recordings have here too
    (lambda chunk: "type" in chunk, claude_messages.ClaudeMessagesDecoder),
    (lambda chunk: not _NOVA.isdisjoint(chunk), nova.NovaDecoder),
    (lambda chunk: "generation" in chunk, llama.LlamaDecoder),
    (lambda chunk: "outputText" in chunk or "results" in chunk, titan.TitanDecoder),
    (lambda chunk: "outputs" in chunk, mistral_prompt.MistralPromptDecoder),
    (lambda chunk: "event_type" in chunk or "chat_history" in chunk, command_r.CommandRDecoder),
    (lambda chunk: "is_finished" in chunk or "generations" in chunk, command.CommandDecoder),
    (lambda chunk: "completions" in chunk, jurassic.JurassicDecoder),
    (lambda chunk: "choices" in chunk, openai_chat.OpenAIChatDecoder),
)
"""By what members each family is known, in the order in which they are asked for."""


class _Unread(ChunkDecoder):
    """Reads an answer of which no chunk was understood: Bedrock's own additions are still its end."""

    def read(self, chunk: Json) -> list[Delta]:
        return unknown(chunk)


class TolerantDecoder:
    """Reads as the family does that the first telling chunk is of."""

    def __init__(self, request: Request, model: Model, prefill: str = "") -> None:
        self._for = (request, model, prefill)
        self._inner: ChunkDecoder = _Unread(request, model, prefill)

    def text(self, chunk: bytes) -> TextDelta | None:  # noqa: ARG002 - its shape is not known before it is seen
        """Recognise nothing at first sight."""
        return None

    def decode(self, chunk: Any) -> list[Delta]:
        """Translate one chunk."""
        if not isinstance(chunk, dict):
            return []
        if isinstance(self._inner, _Unread):
            raise_if_error(chunk)
            self._inner = self._known(chunk) or self._inner
        return self._inner.decode(chunk)

    def finish(self) -> list[Delta]:
        """Close the answer at the body's clean end."""
        return self._inner.finish()

    def whole(self, answer: Any, headers: Mapping[str, str]) -> list[Delta]:
        """Translate a whole answer."""
        said = object_of(answer, "answer")
        return (self._known(said) or self._inner).whole(said, headers)

    def _known(self, chunk: Json) -> ChunkDecoder | None:
        found = next((decoder for sign, decoder in _SIGNS if sign(chunk)), None)
        return found(*self._for) if found else None
