"""An answer that breaks off after its first text: gone on with, begun again, or ended."""

import pytest

from tests.harness import CLAUDE, Event, Json, Service, running, text_of
from tests.native.test_events import WEATHER

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOVA = "amazon.nova-lite-v1:0"
LLAMA = "meta.llama3-8b-instruct-v1:0"
CANNOT = "global.anthropic.claude-sonnet-4-6"
BREAKS = [
    "cut",
    "cut-frame",
    "drop",
    "reset",
    "crc",
    "garbage-json",
    "exception=throttlingException",
    "exception=modelStreamErrorException",
    "exception=internalServerException",
]
QUESTION = 'Say "One two, three  and\n\nfour.\n  Five: six\tand seven eight nine ten."'


def states(events: list[Event]) -> list[str]:
    return [event.data["state"] for event in events if event.name == "status"]


@pytest.mark.parametrize("fault", BREAKS)
async def test_the_answer_goes_on_where_it_broke_off_and_each_word_is_seen_once(shared: Service, fault: str) -> None:
    plain = await shared.stream(prompt=QUESTION)
    events = await shared.stream(prompt=QUESTION, fault=f"{fault}@3")

    assert text_of(events) == text_of(plain)
    assert states(events) == ["reconnecting", "continued"]
    assert events[-1].data["stop_reason"] == "end_turn"
    assert events[-1].data["metrics"]["attempts"] == 2


@pytest.mark.parametrize(
    ("model_id", "api"),
    [(CLAUDE, "converse"), (CLAUDE, "invoke"), (NOVA, "converse"), (NOVA, "invoke"), (LLAMA, "invoke")],
)
async def test_wherever_it_breaks_off_the_seam_cannot_be_seen(shared: Service, model_id: str, api: str) -> None:
    asked: Json = {"prompt": QUESTION, "model_id": model_id, "api": api}
    plain = await shared.stream(**asked)

    for delta in range(1, len(plain) - 2, 2):
        events = await shared.stream(fault=f"cut@{delta}", **asked)
        assert text_of(events) == text_of(plain), delta
        assert states(events) == ["reconnecting", "continued"]


async def test_a_stream_may_break_off_again_and_again_within_its_retries(shared: Service) -> None:
    plain = await shared.stream(prompt=QUESTION)
    events = await shared.stream(prompt=QUESTION, fault="throttle,cut@2,drop@1")

    assert text_of(events) == text_of(plain)
    assert states(events) == ["retrying", "reconnecting", "continued", "reconnecting", "continued"]
    assert events[-1].data["metrics"]["attempts"] == 4


async def test_retries_and_continuations_share_their_number() -> None:
    async with running(max_retries=2) as service:
        events = await service.stream(prompt=QUESTION, fault="throttle,cut@1*")
        calls = await service.calls()

    assert events[-1].data["code"] == "upstream_truncated"
    assert events[-1].data["partial"] is True
    assert len(calls) == 3


async def test_the_seam_is_marked_by_a_status_event_right_before_its_first_text(shared: Service) -> None:
    events = await shared.stream(prompt=QUESTION, fault="cut@3")

    at = next(n for n, event in enumerate(events) if event.data.get("state") == "continued")
    assert "text" in events[at - 2].data
    assert events[at - 1].data["state"] == "reconnecting"
    assert events[at - 1].data["attempt"] == 2
    assert "text" in events[at + 1].data
    assert events[at].data["model_id"] == CLAUDE


async def test_the_tokens_of_all_attempts_add_up_and_are_called_an_estimate(shared: Service) -> None:
    plain = (await shared.stream(prompt=QUESTION))[-1].data["usage"]
    usage = (await shared.stream(prompt=QUESTION, fault="cut@5"))[-1].data["usage"]

    assert usage["estimated"] is True
    assert plain["estimated"] is False
    assert usage["output_tokens"] >= plain["output_tokens"] - 3
    assert usage["input_tokens"] > plain["input_tokens"]  # the second attempt is given the first one's text


async def test_max_tokens_holds_for_all_attempts_together(shared: Service) -> None:
    events = await shared.stream(prompt="Write 300 words on rain.", max_tokens=40, fault="cut@8")

    assert events[-1].data["stop_reason"] == "max_tokens"
    assert 30 <= events[-1].data["usage"]["output_tokens"] <= 50


async def test_what_bedrock_refuses_for_good_is_not_gone_on_with(shared: Service) -> None:
    events = await shared.stream(prompt=QUESTION, fault="exception=validationException@3")

    assert states(events) == []
    assert events[-1].data["code"] == "validation"
    assert events[-1].data["partial"] is True


async def test_a_model_that_cannot_go_on_ends_with_the_error_at_once(shared: Service) -> None:
    before = len(await shared.calls())
    events = await shared.stream(prompt=QUESTION, model_id=CANNOT, fault="cut@3")

    assert states(events) == []
    assert events[-1].data["code"] == "upstream_truncated"
    assert events[-1].data["partial"] is True
    assert len(await shared.calls()) == before + 1


@pytest.mark.parametrize(
    "asked",
    [
        {"prompt": "The weather in Oslo?", "tools": [WEATHER], "tool_choice": "any", "fault": "cut@2"},
        {"prompt": "Why does it rain?", "reasoning": {"effort": "low"}, "fault": "cut@3"},
        {"prompt": "Why does it rain?", "reasoning": {"effort": "low"}, "fault": "cut@30"},
    ],
    ids=["in a tool call", "in reasoning", "in the text after reasoning"],
)
async def test_neither_a_call_nor_reasoning_is_gone_on_with(shared: Service, asked: Json) -> None:
    events = await shared.stream(**asked)

    assert "continued" not in states(events)
    assert events[-1].data["code"] == "upstream_truncated"


async def test_a_restart_tells_the_reader_to_clear_what_it_has_shown(shared: Service) -> None:
    plain = await shared.stream(prompt=QUESTION)
    events = await shared.stream(prompt=QUESTION, fault="cut@3", on_interruption="restart")

    assert states(events) == ["reconnecting", "restarted"]
    assert text_of(events) == text_of(plain)
    at = next(n for n, event in enumerate(events) if event.data.get("state") == "restarted")
    assert [event.data for event in events[at + 1 : -1]] == [event.data for event in plain[1:-1]]


async def test_a_restart_helps_where_going_on_cannot(shared: Service) -> None:
    asked: Json = {"prompt": "The weather in Oslo?", "tools": [WEATHER], "model_id": CANNOT}
    answer = await shared.ask(fault="cut@4", on_interruption="restart", **asked)

    assert answer["stop_reason"] == "tool_use"
    assert [block["type"] for block in answer["content"]] == ["text", "tool_use"]
    assert answer["content"][1]["input"] == {"city": "Oslo"}


async def test_a_whole_answer_is_mended_in_the_same_ways(shared: Service) -> None:
    plain = await shared.ask(prompt=QUESTION)

    for policy in ("continue", "restart"):
        mended = await shared.ask(prompt=QUESTION, fault="cut@3", on_interruption=policy)
        assert mended["text"] == plain["text"]
        assert mended["metrics"]["attempts"] == 2


async def test_whoever_reads_later_reads_one_answer(shared: Service) -> None:
    events = await shared.stream(prompt=QUESTION, fault="cut@3", on_interruption="restart")
    state = await shared.state(events[0].data["stream_id"])

    assert state["text"] == text_of(events)
    assert await shared.resume(events[2].id) == events[3:]


@pytest.mark.parametrize(("setting", "expected"), [("fail", "error"), ("restart", "done"), ("continue", "done")])
async def test_the_setting_holds_where_the_request_says_nothing(setting: str, expected: str) -> None:
    async with running(on_interruption=setting) as service:
        assert expected in (await service.stream(fault="cut@3"))[-1].data


async def test_the_request_has_the_last_word() -> None:
    async with running(on_interruption="fail") as service:
        assert "done" in (await service.stream(fault="cut@3", on_interruption="continue"))[-1].data
