"""OpenAI's chat: gpt-oss, GPT, Jamba, and all the models that have no shape of their own."""

from functools import partial
from typing import Any

from service.bedrock.catalog.resolution import Model
from service.local import shapes
from service.local.answer import Block, End, Piece
from service.local.chat_shapes import OpenAIBody
from service.local.families import chat_request, common
from service.local.families.common import InvokeRequest
from service.local.plan import Plan, StreamStart
from service.local.prompt import LocalPrompt
from service.local.text import tool_choice
from service.local.text.pieces import Chunking
from service.local.wire.frames import Json, LocalFrame

_FILLER = "aiaRsHQ4sjhkwbQqJNSm7gY3"


def plan(request: InvokeRequest) -> Plan:
    """Plan the answer to a body."""
    body = shapes.read(request.body, OpenAIBody, shapes.format_schema_error)
    prompt = chat_request.build_prompt(body, request)
    usage = body.stream_options is not None and body.stream_options.include_usage
    form = ChatEnvelope(request.model, f"chatcmpl-{tool_choice.make_token(prompt, -1, 12)}", usage=usage)
    return Plan(
        prompt=prompt,
        chunking=Chunking(1, 2, opens_calls=True),
        id_prefix="functions." if request.model.series.startswith("kimi") else "call_",
        make_writer=common.with_metrics(lambda opening: OpenAIChatChunks(form, opening), prompt),
        write_body=partial(_whole, form, prompt),
        unknown_frame=LocalFrame({"object": "hologram", "depth": 3}),
        headers=common.STREAM_HEADERS if request.streaming else (),
    )


class ChatEnvelope:
    """The members around a choice, which differ from maker to maker (recorded: gpt-oss, GPT-6, Jamba)."""

    def __init__(self, model: Model, id_: str, *, usage: bool) -> None:
        self.model = model
        self.id = id_
        self.usage = usage
        self.tag = model.reasoning_tag
        self.series = model.series

    @property
    def is_jamba(self) -> bool:
        """Jamba closes with text and reason in one chunk."""
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
        """Write OpenAI's usage, whose prompt holds what was cached."""
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

    def __init__(self, form: ChatEnvelope, opening: StreamStart) -> None:
        self._form = form
        self._created = opening.created
        self._calls = -1
        self._held: Json | None = None

    def begin(self) -> list[LocalFrame]:
        """Open with the role; gpt-oss follows it up with nothing at all (recorded)."""
        role: Json = {"role": "assistant"} if self._form.is_jamba else {"content": "", "role": "assistant"}
        if self._form.series == "gpt":
            role["refusal"] = None
        frames = [self._frame(role, "open")]
        return [*frames, self._frame({}, "other")] if self._form.series == "gpt_oss" else frames

    def write(self, piece: Piece) -> list[LocalFrame]:
        """Write a piece. Jamba holds its last one back, for the end."""
        frames = self._delayed() if self._form.is_jamba else []
        delta = self._delta(piece)
        if delta is None:
            return frames
        if self._form.is_jamba and piece.last and "content" in delta:
            self._held = delta
            return frames
        return [*frames, self._frame(delta, "delta")]

    def end(self, end: End) -> list[LocalFrame]:
        """Say why it stopped; then what it cost, where that was request for."""
        form, finish = self._form, _finish(end.stop)
        if form.is_jamba:
            choice = {"index": 0, "delta": self._held or {}, "finish_reason": finish}
            if finish == "stop":
                choice["stop_reason"] = end.sequence or "<|eom|>"
            meta = {"requestDurationMillis": end.latency_ms}
            counted = {key: value for key, value in form.counts(end).items() if not key.endswith("details")}
            return [LocalFrame({**form.chunk([choice], self._created), "usage": counted, "meta": meta}, "last")]
        last = LocalFrame(form.chunk([form.choice({}, finish)], self._created), "stop")
        if not form.usage:
            return [last]
        cost = LocalFrame({**form.chunk([], self._created), "usage": form.counts(end)}, "stop")
        # GPT repeats it, with the metrics (recorded).
        return [last, cost, cost] if form.series == "gpt" else [last, cost]

    def _delayed(self) -> list[LocalFrame]:
        held, self._held = self._held, None
        return [self._frame(held, "delta")] if held else []

    def _delta(self, piece: Piece) -> Json | None:
        block = piece.block
        match block.kind:
            case "thinking":
                return self._thought(piece)
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

    def _thought(self, piece: Piece) -> Json | None:
        """Write reasoning: in tags around each piece (gpt-oss), in tags around all of it, or nowhere (GPT)."""
        if self._form.series == "gpt":
            return None
        if self._form.tag == "reasoning":
            return {"content": f"<reasoning>{piece.text}</reasoning>"}
        return {"content": ("<think>" if piece.first else "") + piece.text + ("</think>\n\n" if piece.last else "")}

    def _frame(self, delta: Json, phase: Any) -> LocalFrame:
        return LocalFrame(self._form.chunk([self._form.choice(delta, None)], self._created), phase)


def _finish(stop: str) -> str:
    return {"max_tokens": "length", "tool_use": "tool_calls", "content_filtered": "content_filter"}.get(stop, "stop")


def _whole(form: ChatEnvelope, prompt: LocalPrompt, said: list[Block], end: End) -> Json:
    text = "".join(block.text for block in said if block.kind == "text")
    thought = "".join(block.text for block in said if block.kind == "thinking")
    message: Json = {"content": _tagged(form, thought) + text or None, "refusal": None, "role": "assistant"}
    if calls := [_call(block) for block in said if block.kind == "call"]:
        message["tool_calls"] = calls
    choice = {"finish_reason": _finish(end.stop), "index": 0, "message": message}
    answer: Json = {"choices": [choice], "id": form.id, "model": form.model.id, "usage": form.counts(end)}
    if form.is_jamba:
        message.pop("refusal")
        answer["meta"] = {"requestDurationMillis": end.latency_ms}
    else:
        answer |= {"created": 0, "object": "chat.completion", "service_tier": "default"}
    return common.with_guardrail_action(answer, prompt, end)


def _tagged(form: ChatEnvelope, thought: str) -> str:
    if not thought or form.series == "gpt":
        return ""
    return f"<reasoning>{thought}</reasoning>" if form.tag == "reasoning" else f"<think>{thought}</think>\n\n"


def _call(block: Block) -> Json:
    return {"function": {"arguments": block.text, "name": block.name}, "id": block.id, "type": "function"}
