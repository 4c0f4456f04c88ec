"""What OpenAI's own Python client makes of a response's events, over a socket."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI

from service.deltas import Event, Failed, Metrics, Status, StopReason, TextDelta
from service.dialects import openai_responses
from service.dialects.openai_responses import ResponsesOptions
from tests.dialects.answers import ANSWERS, EVERY_STOP, HEADING, START, batches, streams
from tests.dialects.served import Served, with_heartbeats, without_nulls
from tests.examples import examples

ASKED: dict[str, Any] = {"model": "m", "input": "Hi"}
ENDS = {"response.completed", "response.incomplete", "response.failed"}
IN_SUMMARY = ResponsesOptions(reasoning={"effort": "low", "summary": "auto"})


def told(events: list[Event], options: ResponsesOptions | None = None, *, starting_after: int = -1) -> bytes:
    return openai_responses.ResponsesEvents(HEADING, options, starting_after=starting_after).encode(1, events)


def plain(response: Any) -> Any:
    """Leave out the parsed copies that the accumulator adds."""
    value = without_nulls(response.to_dict(warnings=False))  # of its own generic types
    for item in value["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content", []):
            part.pop("parsed", None)
    return value


def read(url: str) -> list[Any]:
    with OpenAI(base_url=url, api_key="k", max_retries=0) as client, client.responses.stream(**ASKED) as stream:
        return list(stream)


async def read_async(url: str) -> list[Any]:
    async with (
        AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client,
        client.responses.stream(**ASKED) as stream,
    ):
        return [event async for event in stream]


def at_once(served: Served, events: list[Event], options: ResponsesOptions | None = None) -> Any:
    with OpenAI(base_url=served.json(openai_responses.whole(HEADING, options, events)), api_key="k") as client:
        return plain(client.responses.create(**ASKED))


@pytest.mark.parametrize("options", [None, IN_SUMMARY], ids=["as text", "as a summary"])
@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
async def test_the_accumulated_stream_equals_the_whole_answer(
    served: Served, events: list[Event], options: ResponsesOptions | None
) -> None:
    expected = at_once(served, events, options)
    stream = served.stream(told(events, options))
    assert plain(read(stream)[-1].response) == expected
    assert plain((await read_async(stream))[-1].response) == expected


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
def test_the_pieces_add_up_to_what_the_end_says(served: Served, events: list[Event]) -> None:
    seen = read(served.stream(told(events)))
    said: dict[tuple[int, str], str] = {}
    for event in seen:
        if event.type.endswith(".delta"):
            key = event.output_index, event.type
            said[key] = said.get(key, "") + event.delta
    for event in seen:
        match event.type:
            case "response.output_text.done" | "response.reasoning_text.done":
                assert said[event.output_index, event.type.replace(".done", ".delta")] == event.text
            case "response.function_call_arguments.done":
                assert said[event.output_index, event.type.replace(".done", ".delta")] == event.arguments
            case "response.output_item.done":
                assert plain(seen[-1].response)["output"][event.output_index] == without_nulls(event.item.to_dict())


@pytest.mark.parametrize("events", EVERY_STOP.values(), ids=EVERY_STOP)
async def test_every_stop_reason_is_accumulated(served: Served, events: list[Event]) -> None:
    assert plain((await read_async(served.stream(told(events))))[-1].response) == at_once(served, events)


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
async def test_heartbeats_between_any_two_events_change_nothing(served: Served, events: list[Event]) -> None:
    beating = served.stream(with_heartbeats(told(events), openai_responses.ResponsesEvents.heartbeat))
    expected = at_once(served, events)
    assert plain(read(beating)[-1].response) == expected
    assert plain((await read_async(beating))[-1].response) == expected


@examples(20)
@given(data=st.data())
def test_any_stream_is_accumulated_to_the_whole_answer(served: Served, data: st.DataObject) -> None:
    events = data.draw(streams())
    encoder, first, body = openai_responses.ResponsesEvents(HEADING), 1, b""
    for batch in data.draw(batches(events)):
        body += encoder.encode(first, batch)
        first += len(batch)
    assert plain(read(served.stream(body))[-1].response) == at_once(served, events)


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
def test_starting_after_any_number_gives_exactly_the_rest(served: Served, events: list[Event]) -> None:
    numbers = [event.sequence_number for event in read(served.stream(told(events)))]
    blocks = told(events).split(b"\n\n")
    assert numbers == list(range(len(blocks) - 1))
    for after in (-1, *numbers):
        assert told(events, starting_after=after) == b"\n\n".join(blocks[after + 1 :])


def test_the_client_resumes_where_its_connection_was_cut(served: Served) -> None:
    events = ANSWERS["a text and two calls at once"]
    whole = told(events)
    cut = served.stream(whole[: whole.index(b'"sequence_number":7') + 25])
    with OpenAI(base_url=cut, api_key="k") as client:
        seen = [event.sequence_number for event in client.responses.create(**ASKED, stream=True)]
    with OpenAI(base_url=served.stream(told(events, starting_after=seen[-1])), api_key="k") as client:
        rest = list(client.responses.retrieve("resp_0a1b2c3d", stream=True, starting_after=seen[-1]))
    assert seen == list(range(7))
    assert [event.sequence_number for event in rest] == list(range(7, 7 + len(rest)))
    assert rest[-1].type == "response.completed"


def test_every_stop_reason_has_its_end() -> None:
    ends = {
        reason: (response["status"], response["incomplete_details"])
        for reason, events in EVERY_STOP.items()
        for response in [openai_responses.whole(HEADING, None, events)]
    }
    assert ends == {
        StopReason.END_TURN: ("completed", None),
        StopReason.MAX_TOKENS: ("incomplete", {"reason": "max_output_tokens"}),
        StopReason.STOP_SEQUENCE: ("completed", None),
        StopReason.TOOL_USE: ("completed", None),
        StopReason.CONTENT_FILTERED: ("incomplete", {"reason": "content_filter"}),
        StopReason.GUARDRAIL_INTERVENED: ("incomplete", {"reason": "content_filter"}),
        StopReason.CONTEXT_WINDOW_EXCEEDED: ("incomplete", {"reason": "max_output_tokens"}),
        StopReason.MALFORMED_OUTPUT: ("completed", None),
        StopReason.CANCELLED: ("cancelled", None),
        StopReason.OTHER: ("completed", None),
    }


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        (StopReason.END_TURN, "response.completed"),
        (StopReason.MAX_TOKENS, "response.incomplete"),
        (StopReason.CANCELLED, "response.incomplete"),
    ],
)
def test_a_stream_ends_in_one_of_the_ends_openai_knows(served: Served, reason: StopReason, end: str) -> None:
    *others, last = read(served.stream(told(EVERY_STOP[reason])))
    assert last.type == end
    assert not ENDS & {event.type for event in others}


FAILED = Failed("throttled", "Bedrock is throttling this model.", 429, retryable=True, partial=True)


def test_a_failure_is_the_end_with_what_was_said_so_far(served: Served) -> None:
    last = read(served.stream(told([START, TextDelta(0, "So far"), FAILED])))[-1]
    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert last.response.error.to_dict() == {
        "code": "rate_limit_exceeded",
        "message": "Bedrock is throttling this model.",
        "type": "throttled",
    }
    assert last.response.output_text == "So far"
    assert last.response.output[0].status == "incomplete"


def test_an_answer_that_begins_anew_after_its_first_text_has_failed(served: Served) -> None:
    events: list[Event] = [START, TextDelta(0, "So far"), Status("restarted"), TextDelta(0, "Anew")]
    last = read(served.stream(told(events)))[-1]
    assert last.type == "response.failed"
    assert last.response.error.type == "upstream_truncated"


def test_a_response_is_read_at_any_time() -> None:
    events = ANSWERS["a text and two calls at once"]
    states = [openai_responses.whole(HEADING, None, events[:number]) for number in range(len(events) + 1)]
    assert [state["status"] for state in states] == ["queued"] * 2 + ["in_progress"] * (len(events) - 2) + ["completed"]
    assert states[2]["output"][0]["status"] == "in_progress"
    assert states[2]["output"][0]["content"][0]["text"] == "Let me look."


def test_a_queued_response_stays_queued_while_it_waits() -> None:
    assert openai_responses.whole(HEADING, None, [START, Status("queued", place=1)])["status"] == "queued"


def test_the_response_repeats_what_was_asked_for() -> None:
    asked = {
        "input": "Hi",
        "instructions": "Be brief.",
        "metadata": {"team": "blue"},
        "temperature": 0.5,
        "max_output_tokens": 9,
        "previous_response_id": "resp_before",
        "tools": [{"type": "function", "name": "act", "parameters": {"type": "object"}, "strict": True}],
        "tool_choice": "required",
        "background": True,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    }
    parsed = openai_responses.parse(asked)
    response = openai_responses.whole(HEADING, parsed.options, [])
    assert {name: response[name] for name in asked if name != "input"} == {
        name: value for name, value in asked.items() if name != "input"
    }


def test_the_time_of_completion_is_known_where_the_latency_is() -> None:
    response = openai_responses.whole(HEADING, None, ANSWERS["a text in pieces"])
    assert (response["created_at"], response["completed_at"]) == (1790000000, 1790000001)
    assert Metrics().latency is None


def test_ids_lead_back_to_the_stream_and_the_item() -> None:
    output = openai_responses.whole(HEADING, None, ANSWERS["a text and two calls at once"])["output"]
    assert [openai_responses.home(item["id"]) for item in output] == [("0a1b2c3d", 0), ("0a1b2c3d", 1), ("0a1b2c3d", 2)]
    assert openai_responses.stream_id(openai_responses.response_id("0a1b2c3d")) == "0a1b2c3d"
    assert openai_responses.stream_id("chatcmpl-1") is None
    assert openai_responses.home("msg_x") is None
    assert openai_responses.deleted("resp_1") == {"id": "resp_1", "object": "response", "deleted": True}


def test_a_server_that_closes_says_nothing_for_the_reader_can_come_back() -> None:
    assert openai_responses.ResponsesEvents(HEADING).reconnect() == b""
