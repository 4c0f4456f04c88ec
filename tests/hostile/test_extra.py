"""`extra` adds to the model's request and replaces nothing that was checked or charged."""

from typing import Any

import pytest

from tests.harness import CLAUDE, Json, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOVA, TITAN, LLAMA = "amazon.nova-pro-v1:0", "amazon.titan-text-express-v1", "meta.llama3-1-70b-instruct-v1:0"
OTHER = [{"role": "user", "content": [{"text": "quite another prompt"}]}]

CASES: dict[str, tuple[Json, Json, str]] = {
    "Claude's messages on Converse": ({"model_id": CLAUDE}, {"messages": OTHER}, "extra.messages"),
    "Claude's messages on InvokeModel": ({"model_id": CLAUDE, "api": "invoke"}, {"messages": OTHER}, "extra.messages"),
    "Claude's system": ({"model_id": CLAUDE, "api": "invoke"}, {"system": "x"}, "extra.system"),
    "Claude's version": ({"model_id": CLAUDE, "api": "invoke"}, {"anthropic_version": "x"}, "extra.anthropic_version"),
    "Converse's tools": ({"model_id": NOVA}, {"toolConfig": {}}, "extra.toolConfig"),
    "Converse's guardrail": ({"model_id": NOVA}, {"guardrailConfig": {}}, "extra.guardrailConfig"),
    "Nova's length": (
        {"model_id": NOVA, "api": "invoke"},
        {"inferenceConfig": {"maxTokens": 5000}},
        "extra.inferenceConfig.maxTokens",
    ),
    "Titan's prompt": ({"model_id": TITAN, "api": "invoke"}, {"inputText": "x"}, "extra.inputText"),
    "Titan's length": (
        {"model_id": TITAN, "api": "invoke"},
        {"textGenerationConfig": {"maxTokenCount": 5000}},
        "extra.textGenerationConfig.maxTokenCount",
    ),
    "all that Titan's length stands in": (
        {"model_id": TITAN, "api": "invoke"},
        {"textGenerationConfig": None},
        "extra.textGenerationConfig",
    ),
    "Llama's prompt": ({"model_id": LLAMA, "api": "invoke"}, {"prompt": "x"}, "extra.prompt"),
    "anything of an unknown model": ({"model_id": "acme.wonder-1"}, {"chat_history": []}, "extra.chat_history"),
}


@pytest.mark.parametrize(("body", "extra", "field"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("path", ["/api/generate", "/api/generate/stream", "conversation"])
async def test_what_the_service_builds_itself_is_refused_by_name(
    shared: Service, path: str, body: Json, extra: Json, field: str
) -> None:
    asked: dict[str, Any] = {"prompt": "Hi"} | body | {"extra": extra}
    if path == "conversation":
        made = await shared.http.post("/api/conversations", json={})
        path = f"/api/conversations/{made.json()['id']}/messages"
        asked["content"] = asked.pop("prompt")
    before = len(await shared.calls())
    answer = await shared.http.post(path, json=asked)

    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "another" not in answer.text
    assert len(await shared.calls()) == before


async def test_formats_of_others_drop_extra_and_name_it(shared: Service) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "extra": {"messages": OTHER}}
    for path in ("/v1/chat/completions", "/v1/messages"):
        answer = await shared.http.post(path, json=body)

        assert answer.status_code == 200, answer.text
        assert "extra" in (await shared.state(answer.headers["x-stream-id"]))["dropped"]
