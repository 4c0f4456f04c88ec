"""Anthropic's Messages: `POST /v1/messages` and `/v1/messages/count_tokens`."""

from service.dialects.anthropic_messages.errors import error
from service.dialects.anthropic_messages.events import Events
from service.dialects.anthropic_messages.request import Parsed, parse
from service.dialects.anthropic_messages.whole import whole

__all__ = ["Events", "Parsed", "error", "parse", "whole"]
