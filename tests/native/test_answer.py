"""The whole answer: `stream: false` on POST and on GET."""

import pytest

from tests.harness import CLAUDE, Service, text_of
from tests.native.test_events import WEATHER

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_answer_holds_all_that_is_promised(shared: Service) -> None:
    response = await shared.http.post("/api/generate", json={"prompt": "Hi"})

    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-stream-id"] == answer["stream_id"]
    assert response.headers["x-artesian-backend"] == "local"
    assert answer["model_id"] == CLAUDE
    assert 0 < answer["latency"] < 5
    assert answer["stop_reason"] == answer["raw_stop_reason"] == "end_turn"
    assert answer["content"] == [{"type": "text", "text": answer["text"]}]
    assert answer["usage"]["total_tokens"] > answer["usage"]["output_tokens"] > 0
    assert answer["metrics"]["attempts"] == 1
    assert set(answer) == {
        "text", "model_id", "latency", "stream_id", "stop_reason", "raw_stop_reason", "usage", "content", "metrics",
    }  # fmt: skip


@pytest.mark.parametrize("api", ["converse", "invoke"])
async def test_whole_and_streamed_say_the_same(shared: Service, api: str) -> None:
    answer = await shared.ask(prompt="Why does it rain?", api=api)
    events = await shared.stream(prompt="Why does it rain?", api=api)

    assert answer["text"] == text_of(events)
    assert answer["usage"] == events[-1].data["usage"]
    assert answer["stop_reason"] == events[-1].data["stop_reason"]


async def test_content_can_be_handed_back_in_the_next_turn(shared: Service) -> None:
    question = {"role": "user", "content": "The weather in Oslo?"}
    answer = await shared.ask(messages=[question], tools=[WEATHER], reasoning={"effort": "low"}, prompt=None)

    assert [block["type"] for block in answer["content"]] == ["reasoning", "text", "tool_use"]
    call = answer["content"][-1]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "Rain"}
    turns = [question, {"role": "assistant", "content": answer["content"]}, {"role": "user", "content": [result]}]
    following = await shared.ask(messages=turns, tools=[WEATHER], reasoning={"effort": "low"}, prompt=None)

    assert "Rain" in following["text"]


async def test_get_gives_the_same_answer_where_no_stream_is_wanted(shared: Service) -> None:
    response = await shared.http.get("/api/generate", params={"prompt": "Hi", "stream": "false", "max_tokens": 3})

    assert response.headers["content-type"] == "application/json"
    assert response.json()["stop_reason"] == "max_tokens"


async def test_get_takes_the_parameters_that_are_single_values(shared: Service) -> None:
    wanted: dict[str, str | float] = {
        "prompt": "Who are you?",
        "model_id": "amazon.nova-lite-v1:0",
        "system": "You are a fish.",
        "max_tokens": 4,
        "temperature": 0.2,
    }
    response = await shared.http.get("/api/generate", params=wanted | {"stream": "false"})

    assert response.status_code == 200, response.text
    assert response.json()["model_id"] == "amazon.nova-lite-v1:0"
    assert response.json()["usage"]["output_tokens"] == 4


async def test_an_answer_that_broke_off_is_gone_on_with_and_reads_as_one(shared: Service) -> None:
    plain = await shared.ask(prompt="Why does it rain?")
    mended = await shared.ask(prompt="Why does it rain?", fault="cut@9")

    assert mended["text"] == plain["text"]
    assert mended["metrics"]["attempts"] == 2
    assert mended["usage"]["estimated"] is True


async def test_without_max_tokens_five_hundred_are_asked_for(shared: Service) -> None:
    answer = await shared.ask(prompt="Write 2000 words about rain.")

    assert answer["usage"]["output_tokens"] == 500


async def test_the_budget_for_reasoning_is_added_to_the_five_hundred(shared: Service) -> None:
    answer = await shared.ask(prompt="Write 2000 words about rain.", reasoning={"budget_tokens": 1024})

    assert answer["stop_reason"] == "max_tokens"
    assert answer["usage"]["output_tokens"] == 1524
