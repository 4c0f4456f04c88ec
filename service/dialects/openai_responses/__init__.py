"""OpenAI's Responses: `POST /v1/responses`, and reading, resuming, cancelling and deleting one."""

from service.dialects.openai_chat.errors import error
from service.dialects.openai_responses.events import ResponsesEvents
from service.dialects.openai_responses.item_list import ASKED, listed
from service.dialects.openai_responses.request import (
    References,
    ResponsesRequest,
    parse,
    previous_not_found,
    references,
)
from service.dialects.openai_responses.response import (
    ResponsesOptions,
    deleted,
    home,
    interrupted,
    response_id,
    stream_id,
)
from service.dialects.openai_responses.whole import whole

__all__ = [
    "ASKED",
    "References",
    "ResponsesEvents",
    "ResponsesOptions",
    "ResponsesRequest",
    "deleted",
    "error",
    "home",
    "interrupted",
    "listed",
    "parse",
    "previous_not_found",
    "references",
    "response_id",
    "stream_id",
    "whole",
]
