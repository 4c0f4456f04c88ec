"""Another model where the one that was asked for does not answer, while nothing of an answer has been shown."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness import CLAUDE, Json, Service, fault_header, running, text_of
from tests.waiting import eventually

NOVA = "amazon.nova-lite-v1:0"
MISTRAL = "mistral.mistral-large-2402-v1:0"
TITAN = "amazon.titan-text-express-v1"  # takes no tools


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backed() -> AsyncIterator[Service]:
    """A service where Nova stands in for Claude, that tries nothing again."""
    async with running(fallbacks={CLAUDE: [NOVA]}, max_retries=0, fallback_after=0.3) as service:
        yield service


def told(events: list[Json]) -> list[str]:
    """The models that status events say another was left for."""
    return [event["model_id"] for event in events if event.get("state") == "fallback"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "fault",
    [
        "throttle",
        "exception=throttlingException",
        "http=ModelNotReadyException",
        "http=ServiceQuotaExceededException",
        "throttle+message=Too%20many%20tokens%20per%20day",
        "http=503",
        "http=500",
        "timeout",
        "drop@headers",
        "reset@headers",
        "stall@headers",
        "stall",
        "stall@open",
        "http=AccessDeniedException",
        "http=ResourceNotFoundException",
        "eol",
        "http=ModelErrorException",
        "cut@open",
        "crc",
    ],
)
async def test_what_another_model_may_do_better_is_left_to_it(backed: Service, fault: str) -> None:
    before = len(await backed.calls())
    events, answer = await asyncio.gather(backed.stream(fault=fault), backed.ask(fault=fault))

    assert text_of(events) != ""
    assert events[-1].data["metrics"]["model_id"] == answer["model_id"] == answer["metrics"]["model_id"] == NOVA
    assert events[-1].data["metrics"]["attempts"] == 2
    assert told([event.data for event in events]) == [NOVA]
    called = [call["model"] for call in (await backed.calls())[before:]]
    assert sorted(called) == sorted([CLAUDE, NOVA] * 2)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "fault",
    ["http=ValidationException", "exception=validationException", "http=ModelErrorException+status=400"],
)
async def test_a_request_that_is_wrong_is_not_asked_of_another(backed: Service, fault: str) -> None:
    before = len(await backed.calls())
    response = await backed.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header(f"{fault}*"))

    assert response.status_code in {400, 502}
    assert len(await backed.calls()) == before + 1


@pytest.mark.asyncio(loop_scope="module")
async def test_where_it_is_known_in_time_the_start_and_a_header_name_the_model(backed: Service) -> None:
    body = {"prompt": "Hi", "stream": True}
    response = await backed.http.post("/api/generate", json=body, headers=fault_header("throttle"))
    start = json.loads(response.text.partition("data: ")[2].partition("\n")[0])
    whole = await backed.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header("throttle"))

    assert start["model_id"] == response.headers["x-model-id"] == whole.headers["x-model-id"] == NOVA


@pytest.mark.asyncio(loop_scope="module")
async def test_without_need_the_model_that_was_asked_for_is_named(backed: Service) -> None:
    response = await backed.http.post("/api/generate", json={"prompt": "Hi"})

    assert response.headers["x-model-id"] == response.json()["model_id"] == CLAUDE


async def test_after_the_start_has_left_an_event_names_the_model() -> None:
    async with running(fallbacks={CLAUDE: [NOVA]}, commit_after=0) as service:
        events = await service.stream(fault="slow=0.2+throttle")

    assert events[0].data["model_id"] == CLAUDE
    assert told([event.data for event in events]) == [NOVA]
    assert events[-1].data["metrics"]["model_id"] == NOVA


@pytest.mark.asyncio(loop_scope="module")
async def test_every_surface_names_the_model_that_answered(backed: Service) -> None:
    said = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
    asks: dict[str, Json] = {
        "/v1/chat/completions": said,
        "/v1/messages": said,
        "/v1/responses": {"input": "Hi"},
    }
    for path, body in asks.items():
        whole = await backed.http.post(path, json=body | {"model": CLAUDE}, headers=fault_header("throttle"))
        assert whole.json()["model"] == NOVA, path
        streamed = await backed.http.post(
            path, json=body | {"model": CLAUDE, "stream": True}, headers=fault_header("throttle")
        )
        assert f'"model":"{NOVA}"' in streamed.text, path
        assert CLAUDE not in streamed.text, path
        assert streamed.headers["x-model-id"] == NOVA


async def test_fallbacks_are_tried_in_turn_each_once_even_where_nothing_is_tried_again() -> None:
    async with running(fallbacks={CLAUDE: [NOVA, CLAUDE, MISTRAL]}, max_retries=0) as service:
        events = await service.stream(fault="throttle*2")
        response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header("throttle*"))
        called = [call["model"] for call in await service.calls()]

    assert told([event.data for event in events]) == [NOVA, MISTRAL]
    assert events[-1].data["metrics"]["model_id"] == MISTRAL
    assert events[-1].data["metrics"]["attempts"] == 3
    assert response.status_code == 429
    assert called == [CLAUDE, NOVA, MISTRAL] * 2


async def test_the_last_one_left_is_tried_again_as_any_model_is() -> None:
    async with running(fallbacks={CLAUDE: [NOVA]}) as service:
        events = await service.stream(fault="throttle*2")
        called = [call["model"] for call in await service.calls()]

    assert called == [CLAUDE, NOVA, NOVA]
    assert [event.data["state"] for event in events if event.name == "status"] == ["fallback", "retrying"]


async def test_a_passing_failure_of_a_model_is_tried_again_before_another_is_asked() -> None:
    async with running(fallbacks={CLAUDE: [NOVA]}, max_retries=1) as service:
        await service.ask(fault="http=ModelErrorException*2")
        called = [call["model"] for call in await service.calls()]

    assert called == [CLAUDE, CLAUDE, NOVA]


async def test_where_all_fail_the_caller_is_told_what_is_worth_repeating() -> None:
    async with running(fallbacks={CLAUDE: [NOVA]}, max_retries=0) as service:
        for fault in ("throttle,http=ValidationException", "http=AccessDeniedException,throttle"):
            response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header(fault))
            assert response.json()["code"] == "throttled"


async def test_after_the_first_text_no_other_model_goes_on() -> None:
    async with running(fallbacks={CLAUDE: [NOVA]}, max_retries=0, on_interruption="fail") as service:
        events = await service.stream(fault="cut@2")

    assert events[-1].data["code"] == "upstream_truncated"
    assert events[-1].data["partial"]


async def test_an_interrupted_fallback_is_gone_on_with_by_itself() -> None:
    async with running(fallbacks={CLAUDE: [CLAUDE_TOO]}, retry_budget=1) as service:
        plain = await service.ask(model_id=CLAUDE_TOO)
        events = await service.stream(fault="throttle,cut@4")
        called = [call["model"] for call in await service.calls()]

    assert called[1:] == [CLAUDE, CLAUDE_TOO, CLAUDE_TOO]
    assert text_of(events) == plain["text"]


async def test_a_process_that_takes_over_asks_the_model_that_had_begun(tmp_path: Path) -> None:
    shared: Json = {"journal_url": f"sqlite:///{tmp_path / 'journal.db'}", "fallbacks": {CLAUDE: [NOVA, CLAUDE_TOO]}}
    async with running(**shared) as other:
        async with running(**shared) as one:
            plain = await one.ask(model_id=CLAUDE_TOO)
            async with one.open(fault="throttle*2,gate@3,ok") as events:
                begun = [await anext(events) for _ in range(6)]
                stream_id = begun[0].data["stream_id"]
        await eventually(lambda: _calls(other, 2))  # throttled, as the script starts again with another Bedrock
        await eventually(lambda: _calls(other, 3))
        await other.bedrock.post("/_local/release")
        rest = await other.resume(f"{stream_id}-{begun[-1].n}")
        called = [call["model"] for call in await other.calls()]

    assert begun[0].data["model_id"] == CLAUDE_TOO
    assert set(called) == {CLAUDE_TOO}
    assert text_of(begun + rest) == plain["text"]
    assert rest[-1].data["metrics"]["model_id"] == CLAUDE_TOO


async def _calls(service: Service, number: int) -> bool:
    return len(await service.calls()) >= number


CLAUDE_TOO = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("fallbacks", "asked"),
    [
        ({"fast": ["spare"]}, "fast"),
        ({CLAUDE: ["spare"]}, "fast"),
        ({CLAUDE.removeprefix("global."): [NOVA]}, "fast"),
        ({CLAUDE.removeprefix("global."): [NOVA]}, CLAUDE),
    ],
)
async def test_a_key_is_the_name_that_was_used_or_its_model_or_the_models_base(
    fallbacks: dict[str, list[str]], asked: str
) -> None:
    aliases = {"fast": CLAUDE, "spare": NOVA}
    async with running(fallbacks=fallbacks, model_aliases=aliases, max_retries=0) as service:
        answer = await service.ask(model_id=asked, fault="throttle")

    assert answer["model_id"] == NOVA


async def test_what_the_other_model_does_not_take_is_left_out_and_named() -> None:
    body: Json = {"top_k": 20, "extra": {"additionalModelRequestFields": {"top_k": 20}}}
    async with running(fallbacks={CLAUDE: [MISTRAL]}, max_retries=0) as service:
        events = await service.stream(fault="throttle", **body)

    message = next(event.data["message"] for event in events if event.name == "status")
    assert text_of(events)
    assert "extra" in message


async def test_a_model_that_cannot_do_what_was_asked_is_passed_over() -> None:
    tools = [{"name": "weather", "description": "Tell the weather", "input_schema": {"type": "object"}}]
    async with running(fallbacks={CLAUDE: [TITAN, NOVA]}, max_retries=0) as service:
        answer = await service.ask(fault="throttle", tools=tools)
        called = [call["model"] for call in await service.calls()]

    assert called == [CLAUDE, NOVA]
    assert answer["model_id"] == NOVA


async def test_a_model_that_sees_no_pictures_is_passed_over() -> None:
    picture = {"type": "image", "media_type": "image/png", "data": PIXEL}
    messages = [{"role": "user", "content": [picture, {"type": "text", "text": "What is this?"}]}]
    body = {"messages": messages, "model_id": CLAUDE}
    async with running(fallbacks={CLAUDE: ["amazon.nova-micro-v1:0", NOVA]}, max_retries=0) as service:
        answer = await service.http.post("/api/generate", json=body, headers=fault_header("throttle"))

    assert answer.json()["model_id"] == NOVA


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def test_a_silent_model_is_left_after_a_while_and_the_last_is_waited_for() -> None:
    async with running(fallbacks={CLAUDE: [NOVA]}, max_retries=0, fallback_after=0.2) as service:
        events = await service.stream(fault="slow-first=3,slow-first=0.5")

    assert events[-1].data["metrics"]["model_id"] == NOVA
    assert text_of(events)
