"""Lets a local server with OpenAI's interface find the words (Ollama, llama.cpp, vLLM)."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from service.local.prompt import LocalPrompt, PromptText, PromptToolResult
from service.local.refusal import LocalRefusal

_CONNECT, _SILENCE = 5.0, 120.0  # seconds


async def stream_text(address: str, prompt: LocalPrompt) -> AsyncIterator[str]:
    """Yield the words of the answer as they come.

    Raises:
        LocalRefusal: the server cannot be reached, or refuses.
    """
    import httpx  # most local Bedrocks never need it

    timeout = httpx.Timeout(_SILENCE, connect=_CONNECT)
    try:
        async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
            url = f"{address.rstrip('/').removesuffix('/v1')}/v1/chat/completions"
            async with client.stream("POST", url, json=_body(prompt)) as answer:
                if answer.is_error:
                    raise LocalRefusal(f"The text server answered {answer.status_code}.", "ModelErrorException")
                async for line in answer.aiter_lines():
                    if word := _word(line):
                        yield word
    except httpx.HTTPError as failure:
        raise LocalRefusal("The text server cannot be reached.", "ServiceUnavailableException") from failure


def _body(prompt: LocalPrompt) -> dict[str, Any]:
    messages = [{"role": "system", "content": prompt.system_text}] if prompt.system_text else []
    for turn in prompt.turns:
        said = [part.text for part in turn.parts if isinstance(part, PromptText | PromptToolResult)]
        messages.append({"role": turn.role, "content": "\n".join(said)})
    if prompt.prefill:
        messages.append({"role": "assistant", "content": prompt.prefill})
    body: dict[str, Any] = {"model": prompt.model.id, "messages": messages, "stream": True}
    body["max_tokens"] = prompt.max_tokens
    if prompt.stop_sequences:
        body["stop"] = list(prompt.stop_sequences[:4])  # OpenAI takes four; the rest are watched for here
    return body


def _word(line: str) -> str:
    if not line.startswith("data:") or line.endswith("[DONE]"):
        return ""
    try:
        chunk = msgspec.json.decode(line.removeprefix("data:"))
        return str(chunk["choices"][0]["delta"].get("content") or "")
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError):
        return ""
