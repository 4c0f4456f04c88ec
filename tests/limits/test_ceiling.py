"""A key's ceiling holds for every model, API and effort: what is sent has a length, or nothing is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from service.access.caller import Caller
from service.bedrock.catalog import resolution
from service.bedrock.catalog.resolution import MODELS
from service.bedrock.continuation import continuation
from service.bedrock.wires.families import wire_of
from service.engine.fallbacks import adapted
from service.engine.request import GenerateRequest, record_of
from service.errors import InvalidRequest
from service.generation import EFFORT_BUDGETS, Api, Message, Policies, Reasoning, Request, Text
from tests.harness import Json
from tests.limits.keyed import bearer, limited
from tests.limits.test_queue import SURFACES

CEILING = 50
CALLER = Caller("key", max_tokens=CEILING)
LENGTHS = {"maxTokens", "max_tokens", "maxTokenCount", "max_gen_len", "max_tokens_to_sample", "max_completion_tokens"}
EFFORTS = [None, *EFFORT_BUDGETS]
NOVA_2 = "global.amazon.nova-2-lite-v1:0"
PROMPT = "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1"
UNKNOWN = "nobody.knows-this-v1:0"
LONG = "Write 500 words."

LIVING = [model.names[0] for model in MODELS if not model.ended]


def request(model_id: str, api: Api, effort: str | None, max_tokens: int | None) -> Request:
    return Request(
        model_id,
        (Message("user", (Text("Hi"),)),),
        api=api,
        max_tokens=max_tokens,
        reasoning=Reasoning(effort) if effort else None,
    )


def lengths(body: Json) -> list[int]:
    """Every length in a body, at its top or one object deeper."""
    nested = [value for value in body.values() if isinstance(value, dict)]
    return [value for part in (body, *nested) for name, value in part.items() if name in LENGTHS]


def sent(asked: Request, *, lenient: bool) -> Iterator[Json]:
    """The bodies of a generation's first call, of its continuation and of each fallback; none: it is refused."""
    target = resolution.resolve(asked)
    order = GenerateRequest(asked, CALLER, "native", Policies(), lenient=lenient)
    try:
        kept = record_of(order, target, ()).request
    except InvalidRequest:
        return
    yield wire_of(target).body(kept, target.model, stream=target.streams)
    if further := continuation(target, kept):
        yield wire_of(further).body(kept, further.model, stream=further.streams, prefill="So")
    for name in (NOVA_2, PROMPT, UNKNOWN):
        other = resolution.resolve(Request(name, kept.messages))
        try:
            fitting, _ = adapted(kept, target, other)
        except InvalidRequest:
            continue
        yield wire_of(other).body(fitting, other.model, stream=other.streams)


@pytest.mark.parametrize("api", get_args(Api))
@pytest.mark.parametrize("lenient", [True, False], ids=["compatible", "native"])
def test_no_body_of_any_model_lacks_a_length_or_exceeds_the_ceiling(api: Api, *, lenient: bool) -> None:
    bodies = [
        (model_id, effort, body)
        for model_id in (*LIVING, PROMPT, UNKNOWN)
        for effort in EFFORTS
        for max_tokens in ((None, 5000) if lenient else (None, 20))
        for body in sent(request(model_id, api, effort, max_tokens), lenient=lenient)
    ]

    assert len(bodies) > len(LIVING)
    unbounded = [(one, effort) for one, effort, body in bodies if not lengths(body) or max(lengths(body)) > CEILING]
    assert unbounded == []


def asks(model: str, effort: str) -> dict[str, Json]:
    """The same request on each API that generates."""
    said = [{"role": "user", "content": LONG}]
    return {
        "/api/generate": {"model_id": model, "prompt": LONG, "reasoning": {"effort": effort}},
        "/v1/chat/completions": {"model": model, "messages": said, "reasoning_effort": effort},
        "/v1/responses": {"model": model, "input": LONG, "reasoning": {"effort": effort}},
        "/v1/messages": {
            "model": model,
            "messages": said,
            "max_tokens": 50_000,
            "thinking": {"type": "enabled", "budget_tokens": 20_000},
        },
    }


async def test_nova_2_at_its_highest_effort_is_refused_natively_and_lowered_elsewhere(tmp_path: Path) -> None:
    """At that effort no `maxTokens` was sent, so a key with 50 got thousands."""
    async with limited(tmp_path, {"k": {"max_tokens": CEILING}}) as service:
        answers = {
            path: await service.http.post(path, json=body, headers=bearer("k"))
            for path, body in asks(NOVA_2, "high").items()
        }
        chat = (await service.http.post("/api/conversations", json={}, headers=bearer("k"))).json()["id"]
        message = {"content": LONG, "model_id": NOVA_2, "reasoning": {"effort": "high"}}
        kept = await service.http.post(f"/api/conversations/{chat}/messages", json=message, headers=bearer("k"))
        stream_id = answers["/v1/chat/completions"].headers["x-stream-id"]
        state = await service.http.get(f"/api/streams/{stream_id}", headers=bearer("k", Accept="application/json"))
        calls = await service.calls()

    native = answers.pop("/api/generate")
    for refused in (native, kept):
        assert refused.status_code == 422, refused.text
        assert "reasoning.effort" in refused.text
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert len(calls) == len(answers)
    assert "reasoning.effort" in state.json()["dropped"]
    for usage in (answer.json()["usage"] for answer in answers.values()):
        assert usage.get("output_tokens", usage.get("completion_tokens")) <= CEILING


async def test_a_stored_prompt_is_refused_to_a_key_with_a_ceiling(tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"max_tokens": CEILING}}) as service:
        where = {"prompt": "Hi", "model_id": PROMPT, "stream": "false"}
        refused = {"GET": await service.http.get("/api/generate", params=where, headers=bearer("k"))}
        for path, body in SURFACES.items():
            name = "model" if path.startswith("/v1") else "model_id"
            refused[path] = await service.http.post(path, json=body | {name: PROMPT}, headers=bearer("k"))
        calls = await service.calls()

    assert {path: answer.status_code for path, answer in refused.items()} == {
        path: 400 if path.startswith("/v1") else 422 for path in refused
    }
    assert all("stored prompt" in answer.text for answer in refused.values())
    assert calls == []


@pytest.mark.parametrize(
    "extra", [{"inferenceConfig": None}, {"inferenceConfig": {"maxTokens": 900}}, {"max_tokens": 900}]
)
async def test_extra_members_do_not_lift_the_ceiling(extra: Json, tmp_path: Path) -> None:
    async with limited(tmp_path, {"k": {"max_tokens": CEILING}}) as service:
        body = {"prompt": LONG, "model_id": "amazon.nova-lite-v1:0", "api": "invoke", "extra": extra}
        refused = await service.http.post("/api/generate", json=body, headers=bearer("k"))

    assert refused.status_code == 422
    assert "extra." in refused.text
