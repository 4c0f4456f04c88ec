"""OpenAI's Chat Completions: `POST /v1/chat/completions`."""

from service.dialects.openai_chat.errors import error
from service.dialects.openai_chat.events import ChatEvents
from service.dialects.openai_chat.request import ChatOptions, ChatRequest, parse
from service.dialects.openai_chat.whole import whole

__all__ = ["ChatEvents", "ChatOptions", "ChatRequest", "error", "parse", "whole"]
