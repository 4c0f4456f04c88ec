"""What these formats can say beyond the native one reaches Bedrock, and what it would refuse does not."""

import base64
from typing import Any

import pytest

from service.bedrock.catalog import resolution
from service.bedrock.wires.families import wire_of
from service.dialects import anthropic_messages, openai_responses
from service.generation import Request
from tests.dialect_parity import asks, sdks
from tests.dialect_parity.sdks import HAIKU
from tests.dialect_parity.test_sessions import question, rain
from tests.harness import Json, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPUS = "global.anthropic.claude-opus-4-7"
CITED: Json = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "Water rises under its own pressure."},
    "title": "Wells",
    "context": "From a lexicon.",
    "citations": {"enabled": True},
}


def sent(request: Request, api: Any = "converse") -> Json:
    """What Bedrock is sent."""
    target = resolution.resolve(request, api=api)
    return wire_of(target).body(request, target.model, stream=True)


def parsed(**more: Any) -> Request:
    return anthropic_messages.parse(asks.messages("Hi") | more).request


async def test_a_document_keeps_its_context_and_is_cited() -> None:
    request = parsed(messages=[{"role": "user", "content": [CITED, {"type": "text", "text": "Why?"}]}])

    document = sent(request)["messages"][0]["content"][0]["document"]
    assert document["context"] == "From a lexicon."
    assert document["citations"] == {"enabled": True}
    assert base64.b64decode(document["source"]["bytes"]).decode() == CITED["source"]["data"]
    block = sent(request, "invoke")["messages"][0]["content"][0]
    assert (block["context"], block["citations"], block["title"]) == ("From a lexicon.", {"enabled": True}, "Wells")


async def test_a_model_that_cannot_cite_is_not_asked_to() -> None:
    request = parsed(model="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [CITED]}])

    assert set(sent(request)["messages"][0]["content"][0]["document"]) == {"format", "name", "source"}


async def test_citations_come_back_in_anthropics_shape(shared: Service) -> None:
    content: Any = [CITED, {"type": "text", "text": "Why do wells flow?"}]
    asked = asks.messages("") | {"messages": [{"role": "user", "content": content}]}
    message = await sdks.messages(shared, asked)

    cited = [one for block in message["content"] for one in block.get("citations", ())]
    assert cited
    assert all(one["document_title"] == "Wells" for one in cited)
    assert await sdks.messages_streamed(shared, asked) == message


@pytest.mark.parametrize("display", ["summarized", "omitted"])
async def test_whether_thinking_is_shown_is_passed_on(display: str) -> None:
    request = parsed(model=OPUS, thinking={"type": "adaptive", "display": display})

    assert sent(request)["additionalModelRequestFields"]["thinking"] == {"type": "adaptive", "display": display}


async def test_who_asks_for_a_summary_of_reasoning_is_to_see_it() -> None:
    asked = asks.responses("Hi", model=OPUS, reasoning={"effort": "low", "summary": "auto"})

    fields = sent(openai_responses.parse(asked).request)["additionalModelRequestFields"]
    assert fields["thinking"] == {"type": "adaptive", "display": "summarized"}


async def test_a_client_that_keeps_no_reasoning_can_still_answer_calls(shared: Service) -> None:
    """Claude wants the reasoning before its calls back. Most clients of chat have no place for it."""
    history: list[Any] = [{"role": "user", "content": question("Oslo")}]
    async with sdks.openai(shared) as client:
        asked: Any = {"model": HAIKU, "messages": history, "tools": asks.CHAT_TOOLS, "reasoning_effort": "low"}
        called = await client.chat.completions.create(**asked)
        message = called.choices[0].message
        calls: Any = message.tool_calls or []
        history.append(
            {"role": "assistant", "content": message.content, "tool_calls": [one.to_dict() for one in calls]}
        )
        history.extend({"role": "tool", "tool_call_id": one.id, "content": rain("Oslo")} for one in calls)
        answered = await client.chat.completions.create(**asked)

    assert "rain over Oslo" in (answered.choices[0].message.content or "")
    state = await shared.state(answered.id.removeprefix("chatcmpl-"))
    assert state["dropped"] == ["reasoning"]


async def test_what_the_system_says_is_said_to_a_model_that_takes_no_system_prompt(shared: Service) -> None:
    """Clients of chat always send one. It is taken out of its field, and not away."""
    turns = [{"role": "system", "content": "Speak of granite."}, {"role": "user", "content": "Hi"}]
    asked = asks.chat("", model="mistral.mistral-7b-instruct-v0:2") | {"messages": turns}
    async with sdks.openai(shared) as client:
        answer = await client.chat.completions.create(**asked)

    assert "granite" in (answer.choices[0].message.content or "").lower()
    assert (await shared.state(answer.id.removeprefix("chatcmpl-")))["dropped"] == ["system"]


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA_URL = f"data:image/png;base64,{PIXEL}"
ASK = {"type": "text", "text": "What is this?"}
IMAGES: dict[str, list[Json]] = {
    "chat": [{"type": "image_url", "image_url": {"url": DATA_URL}}, ASK],
    "responses": [{"type": "input_image", "image_url": DATA_URL}, ASK | {"type": "input_text"}],
    "messages": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}, ASK],
}


@pytest.mark.parametrize("surface", IMAGES)
async def test_an_image_is_seen(shared: Service, surface: str) -> None:
    turn = {"role": "user", "content": IMAGES[surface]}
    asked: Json = {"model": HAIKU, "max_tokens": 500, "messages": [turn], "input": [turn]}
    path = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}[surface]
    answer = await shared.http.post(path, json=asked)

    assert "image (PNG, 1 by 1 pixels" in answer.text


CHOICES: dict[str, tuple[Json, Any, Any]] = {
    "chat": (asks.CHAT["two calls at once"], "none", {"type": "function", "function": {"name": "get_time"}}),
    "responses": (asks.RESPONSES["two calls at once"], "none", {"type": "function", "name": "get_time"}),
    "messages": (asks.MESSAGES["two calls at once"], {"type": "none"}, {"type": "tool", "name": "get_time"}),
}


@pytest.mark.parametrize("surface", CHOICES)
async def test_tools_are_forced_and_forbidden(shared: Service, surface: str) -> None:
    ask = {"chat": sdks.chat, "responses": sdks.responses, "messages": sdks.messages}[surface]
    asked, none, forced = CHOICES[surface]

    assert called(await ask(shared, asked | {"tool_choice": none})) == []
    assert called(await ask(shared, asked | {"tool_choice": forced})) == ["get_time"]


def called(answer: Json) -> list[str]:
    """The names of the tools that an answer calls, in any of the three shapes."""
    message = answer["choices"][0]["message"] if "choices" in answer else {}
    items = answer.get("output") or answer.get("content") or []
    names = [call["function"]["name"] for call in message.get("tool_calls", [])]
    return names + [item["name"] for item in items if item["type"] in {"function_call", "tool_use"}]
