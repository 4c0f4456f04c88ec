"""Clients of the local Bedrock for tests: handwritten bodies for each family, and answers read by the SDK."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer, EventStreamMessage
from botocore.exceptions import ClientError

from service.bedrock.catalog.resolution import Model
from service.local.calls import Calls

Json = dict[str, Any]

CLAUDE = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
QUESTION = "Why do artesian wells flow without a pump?"


@dataclass
class Bedrock:
    """boto3's clients of one local Bedrock."""

    url: str
    runtime: Any
    control: Any

    def converse(self, model: str = CLAUDE, prompt: str = QUESTION, **extra: Any) -> Json:
        """Call Converse."""
        answer: Json = self.runtime.converse(**_arguments(model, prompt, extra))
        return answer

    def stream(self, model: str = CLAUDE, prompt: str = QUESTION, **extra: Any) -> list[Json]:
        """Call ConverseStream and read it to its end."""
        with closing(self.runtime.converse_stream(**_arguments(model, prompt, extra))["stream"]) as events:
            return list(events)

    def invoke(self, model: str, body: Json, **extra: Any) -> Json:
        """Call InvokeModel."""
        answer: Json = json.loads(
            self.runtime.invoke_model(modelId=model, body=json.dumps(body), **extra)["body"].read()
        )
        return answer

    def chunks(self, model: str, body: Json, **extra: Any) -> list[Any]:
        """Call InvokeModelWithResponseStream and read it to its end."""
        answer = self.runtime.invoke_model_with_response_stream(modelId=model, body=json.dumps(body), **extra)
        with closing(answer["body"]) as events:
            return [json.loads(event["chunk"]["bytes"]) for event in events]

    @contextmanager
    def fault(self, script: str) -> Iterator[None]:
        """Inject a fault into the calls of the block."""

        def add_header(params: Json, **_: Any) -> None:
            params["headers"]["X-Artesian-Fault"] = script

        self.runtime.meta.events.register("before-call.bedrock-runtime", add_header)
        try:
            yield
        finally:
            self.runtime.meta.events.unregister("before-call.bedrock-runtime", add_header)


def _arguments(model: str, prompt: str, extra: Json) -> Json:
    return {"modelId": model, "messages": [user(prompt)]} | extra


def user(*content: str | Json) -> Json:
    """Write a message of the user."""
    return {"role": "user", "content": [{"text": part} if isinstance(part, str) else part for part in content]}


def assistant(*content: str | Json) -> Json:
    """Write a message of the model."""
    return user(*content) | {"role": "assistant"}


def text_of(events: list[Json]) -> str:
    """Join the text of Converse's events."""
    return "".join(event.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for event in events)


def blocks_of(events: list[Json]) -> list[Json]:
    """Join the events of Converse into blocks, in order: the start and the joined deltas of each."""
    blocks: dict[int, Json] = {}
    for event in events:
        for kind in ("contentBlockStart", "contentBlockDelta"):
            if kind not in event:
                continue
            block = blocks.setdefault(
                event[kind]["contentBlockIndex"], {"text": "", "reasoning": "", "input": "", "cites": []}
            )
            block |= event[kind].get("start", {})
            delta = event[kind].get("delta", {})
            block["text"] += delta.get("text", "")
            block["input"] += (
                delta.get("toolUse", {}).get("input", "") if isinstance(delta.get("toolUse"), dict) else ""
            )
            reasoning = delta.get("reasoningContent", {})
            block["reasoning"] += reasoning.get("text", "")
            block |= {name: reasoning[name] for name in ("signature", "redactedContent") if name in reasoning}
            block["cites"] += [delta["citation"]] if "citation" in delta else []
    return [blocks[index] for index in sorted(blocks)]


@contextmanager
def rejected(part: str, code: str = "ValidationException", status: int = 400) -> Iterator[None]:
    """Expect an error with this part in its message."""
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert part in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["RequestId"]


def body_for(model: Model, prompt: str = QUESTION, limit: int = 300, so_far: str = "") -> Json:
    """Write a body as the providers document it. `so_far`: the prefill, for families that continue one."""
    answered = [assistant(so_far)] if so_far else []
    match model.family:
        case "claude_messages":
            messages = [
                {"role": "user", "content": prompt},
                *({"role": "assistant", "content": so_far} for _ in answered),
            ]
            return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": limit, "messages": messages}
        case "claude_text":
            return {"prompt": f"\n\nHuman: {prompt}\n\nAssistant:{so_far}", "max_tokens_to_sample": limit}
        case "nova":
            return {"messages": [user(prompt), *answered], "inferenceConfig": {"maxTokens": limit}}
        case "titan":
            return {"inputText": f"User: {prompt}\nBot:{so_far}", "textGenerationConfig": {"maxTokenCount": limit}}
        case "llama":
            return {"prompt": LLAMA[model.series[:6]].format(u=prompt) + so_far, "max_gen_len": limit}
        case "command":
            return {"prompt": prompt + so_far, "max_tokens": limit, "stream": True}
        case "command_r":
            return {"message": prompt, "max_tokens": limit}
        case "jurassic":
            return {"prompt": prompt + so_far, "maxTokens": limit}
        case "mistral_prompt":
            return {"prompt": f"<s>[INST] {prompt} [/INST]{so_far}", "max_tokens": limit}
        case "deepseek_r1":
            start = (
                f"<\uff5cbegin\u2581of\u2581sentence\uff5c><\uff5cUser\uff5c>{prompt}<\uff5cAssistant\uff5c><think>\n"
            )
            return {"prompt": start + so_far, "max_tokens": limit}
        case _:
            return {"messages": [{"role": "user", "content": prompt}], "max_completion_tokens": limit}


LLAMA = {
    "llama2": "<s>[INST] {u} [/INST]",
    "llama3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{u}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "llama4": "<|begin_of_text|><|header_start|>user<|header_end|>\n\n{u}<|eot|>"
    "<|header_start|>assistant<|header_end|>\n\n",
}


def join_chunks(model: Model, chunks: list[Any]) -> str:
    """Join the text of a family's chunks, with the tags of reasoning."""
    return "".join(_text(model.family, chunk) for chunk in chunks)


def _text(family: str, chunk: Json) -> str:
    choice = (chunk.get("choices") or [{}])[0]
    match family:
        case "claude_messages":
            return str(chunk.get("delta", {}).get("text", ""))
        case "claude_text":
            return str(chunk["completion"])
        case "nova":
            return str(chunk.get("contentBlockDelta", {}).get("delta", {}).get("text", ""))
        case "titan":
            return str(chunk["outputText"])
        case "llama":
            return str(chunk["generation"])
        case "command" | "command_r":
            return str(chunk.get("text", ""))
        case "mistral_prompt":
            return str(chunk["outputs"][0]["text"])
        case "mistral_chat":
            return str(choice["message"]["content"])
        case "deepseek_r1":
            return str(choice["text"])
        case _:
            return str(choice.get("delta", {}).get("content") or "")


@dataclass
class Local:
    """A local Bedrock in the test's event loop."""

    url: str
    calls: Calls
    http: httpx.AsyncClient

    @asynccontextmanager
    async def open(self, fault: str = "", model: str = CLAUDE, prompt: str = QUESTION) -> AsyncIterator[httpx.Response]:
        """Start a streamed answer; the end of the block disconnects."""
        path = f"/model/{quote(model, safe='')}/converse-stream"
        headers = {"X-Artesian-Fault": fault} if fault else {}
        async with self.http.stream("POST", path, json={"messages": [user(prompt)]}, headers=headers) as response:
            yield response


async def frames_of(response: httpx.Response) -> AsyncIterator[EventStreamMessage]:
    """Read frames with botocore's own decoder."""
    buffer = EventStreamBuffer()
    async for part in response.aiter_raw():
        buffer.add_data(part)
        for message in buffer:
            yield message
