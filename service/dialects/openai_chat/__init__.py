"""OpenAI's Chat Completions: `POST /v1/chat/completions`."""

from service.dialects.openai_chat.errors import error
from service.dialects.openai_chat.events import Events
from service.dialects.openai_chat.request import Options, Parsed, parse
from service.dialects.openai_chat.whole import whole

__all__ = ["Events", "Options", "Parsed", "error", "parse", "whole"]
