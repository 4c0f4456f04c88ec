"""Anthropic's Messages: `POST /v1/messages` and `/v1/messages/count_tokens`."""

from service.dialects.anthropic_messages.errors import error
from service.dialects.anthropic_messages.events import MessagesEvents
from service.dialects.anthropic_messages.request import MessagesRequest, parse
from service.dialects.anthropic_messages.whole import whole

__all__ = ["MessagesEvents", "MessagesRequest", "error", "parse", "whole"]
