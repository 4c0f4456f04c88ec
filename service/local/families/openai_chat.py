"""OpenAI's chat: gpt-oss, GPT, Jamba, and all models without a format of their own."""

from typing import Any

from service.bedrock.catalog.resolution import Model
from service.local import shapes
from service.local.answer import Block, End, Piece
from service.local.chat_shapes import OpenAIBody
from service.local.families import chat_request, common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan, StreamStart
from service.local.text import tool_choice
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_FILLER = "aiaRsHQ4sjhkwbQqJNSm7gY3"


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body.

    Raises:
        LocalRefusal: the model rejects the body.
    """
    body = shapes.read(request.body, OpenAIBody, shapes.format_schema_error)
    prompt = chat_request.build_prompt(body, request)
    usage = body.stream_options is not None and body.stream_options.include_usage
    envelope = ChatEnvelope(request.model, f"chatcmpl-{tool_choice.make_token(prompt, -1, 12)}", usage=usage)
    return common.make_plan(
        request,
        prompt,
        Chunking(1, 2, opens_calls=True),
        lambda start: OpenAIChatChunks(envelope, start),
        id_prefix="functions." if request.model.series.startswith("kimi") else "call_",
        unknown_frame=LocalFrame({"object": "hologram", "depth": 3}),
    )


class ChatEnvelope:
    """The members around a choice, which differ by provider (recorded: gpt-oss, GPT-6, Jamba)."""

    def __init__(self, model: Model, id_: str, *, usage: bool) -> None:
        self.model = model
        self.id = id_
        self.usage = usage
        self.tag = model.reasoning_tag
        self.series = model.series

    @property
    def is_jamba(self) -> bool:
        """Whether the model is Jamba, whose last chunk has both text and stop reason."""
        return self.series.startswith("jamba")

    def chunk(self, choices: list[Json], created: int) -> Json:
        """Write a chunk."""
        if self.is_jamba:
            return {"id": self.id, "choices": choices}
        chunk: Json = {
            "choices": choices,
            "created": created,
            "id": self.id,
            "model": f"us.{self.model.id}" if self.series == "gpt" else self.model.id,
            "object": "chat.completion.chunk",
            "service_tier": "default",
        }
        if self.series == "gpt":
            chunk |= {"system_fingerprint": None, "obfuscation": _FILLER[:7]}
            if self.usage:
                chunk["usage"] = None
        elif self.series == "gpt_oss":
            chunk["obfuscation"] = _FILLER[:5]
        return chunk

    def choice(self, delta: Json, finish: str | None) -> Json:
        """Write a choice."""
        choice: Json = {"delta": delta, "finish_reason": finish, "index": 0}
        if self.series == "gpt_oss":
            choice["obfuscation"] = _FILLER[8:16]
        return choice

    def counts(self, end: End) -> Json:
        """Write OpenAI's usage; its prompt tokens include the cached ones."""
        spent = end.usage
        return {
            "completion_tokens": spent.output,
            "completion_tokens_details": {"reasoning_tokens": spent.reasoning},
            "prompt_tokens": spent.prompt,
            "prompt_tokens_details": {"cached_tokens": spent.cache_read},
            "total_tokens": spent.total,
        }


class OpenAIChatChunks:
    """Writes the chunks of one answer."""

    def __init__(self, envelope: ChatEnvelope, start: StreamStart) -> None:
        self._envelope = envelope
        self._created = start.created
        self._calls = -1
        self._delayed: Json | None = None

    def begin(self) -> list[LocalFrame]:
        """Write the role; gpt-oss adds an empty delta (recorded)."""
        role: Json = {"role": "assistant"} if self._envelope.is_jamba else {"content": "", "role": "assistant"}
        if self._envelope.series == "gpt":
            role["refusal"] = None
        frames = [self._frame(role, "open")]
        return [*frames, self._frame({}, "other")] if self._envelope.series == "gpt_oss" else frames

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece. Jamba's last one is delayed until the end."""
        frames = [self._frame(self._delayed, "delta")] if self._delayed else []
        self._delayed = None
        delta = self._delta(piece)
        if delta is None:
            return frames
        if self._envelope.is_jamba and piece.last and "content" in delta:
            self._delayed = delta
            return frames
        return [*frames, self._frame(delta, "delta")]

    def end(self, end: End) -> list[LocalFrame]:
        """Write the stop reason, then the usage if the request asks for it."""
        envelope, finish = self._envelope, _finish_reason(end.stop)
        if envelope.is_jamba:
            choice = {"index": 0, "delta": self._delayed or {}, "finish_reason": finish}
            if finish == "stop":
                choice["stop_reason"] = end.sequence or "<|eom|>"
            meta = {"requestDurationMillis": end.latency_ms}
            counted = {key: value for key, value in envelope.counts(end).items() if not key.endswith("details")}
            return [LocalFrame({**envelope.chunk([choice], self._created), "usage": counted, "meta": meta}, "last")]
        last = LocalFrame(envelope.chunk([envelope.choice({}, finish)], self._created), "stop")
        if not envelope.usage:
            return [last]
        cost = LocalFrame({**envelope.chunk([], self._created), "usage": envelope.counts(end)}, "stop")
        # GPT repeats it, with the metrics (recorded).
        return [last, cost, cost] if envelope.series == "gpt" else [last, cost]

    def write_body(self, blocks: list[Block], end: End) -> Json:
        """Write the body of a whole answer."""
        envelope = self._envelope
        text, reasoning = common.join_text(blocks), common.join_text(blocks, "thinking")
        if reasoning and envelope.series != "gpt":
            tagged = envelope.tag == "reasoning"
            text = (f"<reasoning>{reasoning}</reasoning>" if tagged else f"<think>{reasoning}</think>\n\n") + text
        message: Json = {"content": text or None, "refusal": None, "role": "assistant"}
        calls = [
            {"function": {"arguments": block.text, "name": block.name}, "id": block.id, "type": "function"}
            for block in blocks
            if block.kind == "call"
        ]
        if calls:
            message["tool_calls"] = calls
        choice = {"finish_reason": _finish_reason(end.stop), "index": 0, "message": message}
        body: Json = {"choices": [choice], "id": envelope.id, "model": envelope.model.id, "usage": envelope.counts(end)}
        if envelope.is_jamba:
            message.pop("refusal")
            return body | {"meta": {"requestDurationMillis": end.latency_ms}}
        return body | {"created": 0, "object": "chat.completion", "service_tier": "default"}

    def _delta(self, piece: Piece) -> Json | None:
        block = piece.block
        match block.kind:
            case "thinking" if self._envelope.series == "gpt":  # it does not send its reasoning
                return None
            case "thinking" if self._envelope.tag == "reasoning":  # gpt-oss tags each piece
                return {"content": f"<reasoning>{piece.text}</reasoning>"}
            case "thinking":
                start, end = ("<think>" if piece.first else ""), ("</think>\n\n" if piece.last else "")
                return {"content": start + piece.text + end}
            case "call" if piece.first:
                self._calls += 1
                function: Json = {"arguments": piece.text, "name": block.name}
                return {
                    "tool_calls": [{"function": function, "id": block.id, "index": self._calls, "type": "function"}]
                }
            case "call":
                return {"tool_calls": [{"function": {"arguments": piece.text}, "index": self._calls}]}
            case _:
                return {"content": piece.text} if piece.text else None

    def _frame(self, delta: Json, phase: Any) -> LocalFrame:
        return LocalFrame(self._envelope.chunk([self._envelope.choice(delta, None)], self._created), phase)


def _finish_reason(stop: str) -> str:
    return {"max_tokens": "length", "tool_use": "tool_calls", "content_filtered": "content_filter"}.get(stop, "stop")
