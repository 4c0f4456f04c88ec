"""A stream as one response object: finished, or as far as it is."""

from collections.abc import Iterable
from typing import Any

from service.deltas import Done, Event, Failed, Start, Status
from service.dialects.dialect import Heading
from service.dialects.openai_responses.output import Output
from service.dialects.openai_responses.response import ResponsesOptions, ResponseState, ended, response

Json = dict[str, Any]


def whole(heading: Heading, options: ResponsesOptions | None, events: Iterable[Event]) -> Json:
    """Tell the response. One whose model has not said anything yet is `queued`."""
    options, events = options or ResponsesOptions(), list(events)
    output, state = Output(heading.stream_id, summary=options.summary), ResponseState("queued")
    for event in events:
        match event:
            case Status(state="restarted"):
                output = Output(heading.stream_id, summary=options.summary)
            case Start() | Status():
                pass
            case Done() | Failed():
                state = ended(event)
            case _:
                state = ResponseState("in_progress")
                output.add(event)
    output.close(state.item)
    return response(heading.after(events), options, state, output.items)
