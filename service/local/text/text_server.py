"""Gets the text of an answer from a local server with OpenAI's API (Ollama, llama.cpp, vLLM)."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from service.local.prompt import LocalPrompt, PromptText, PromptToolResult
from service.local.refusal import LocalRefusal

_CONNECT_TIMEOUT, _READ_TIMEOUT = 5.0, 120.0  # seconds


async def stream_text(url: str, prompt: LocalPrompt) -> AsyncIterator[str]:
    """Yield the text of the answer as it arrives.

    Raises:
        LocalRefusal: the server is unreachable or answers with an error.
    """
    import httpx  # most local Bedrocks do not need it

    timeout = httpx.Timeout(_READ_TIMEOUT, connect=_CONNECT_TIMEOUT)
    try:
        async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
            path = f"{url.rstrip('/').removesuffix('/v1')}/v1/chat/completions"
            async with client.stream("POST", path, json=_body(prompt)) as answer:
                if answer.is_error:
                    raise LocalRefusal(f"The text server answered {answer.status_code}.", "ModelErrorException")
                async for line in answer.aiter_lines():
                    if text := _parse_text(line):
                        yield text
    except httpx.HTTPError as error:
        raise LocalRefusal("The text server cannot be reached.", "ServiceUnavailableException") from error


def _body(prompt: LocalPrompt) -> dict[str, Any]:
    messages = [{"role": "system", "content": prompt.system_text}] if prompt.system_text else []
    for turn in prompt.turns:
        texts = [part.text for part in turn.parts if isinstance(part, PromptText | PromptToolResult)]
        messages.append({"role": turn.role, "content": "\n".join(texts)})
    if prompt.prefill:
        messages.append({"role": "assistant", "content": prompt.prefill})
    body: dict[str, Any] = {"model": prompt.model.id, "messages": messages, "stream": True}
    body["max_tokens"] = prompt.max_tokens
    if prompt.stop_sequences:
        body["stop"] = list(prompt.stop_sequences[:4])  # OpenAI's limit; `Limiter` stops at all of them
    return body


def _parse_text(line: str) -> str:
    if not line.startswith("data:") or line.endswith("[DONE]"):
        return ""
    try:
        chunk = msgspec.json.decode(line.removeprefix("data:"))
        return str(chunk["choices"][0]["delta"].get("content") or "")
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError):
        return ""
