"""The Python client of an Artesian service: `Artesian` and, for asyncio, `AsyncArtesian`.

A stream comes back by itself after its connection broke, and goes on where it was; the question is not asked, or paid
for, again. This folder needs httpx alone and imports nothing of the service, so it can be copied into other programs.

    with Artesian() as artesian, artesian.stream("Why is the sky blue?") as stream:
        for text in stream.texts():
            print(text, end="", flush=True)
"""

from .answer import Answer
from .async_client import AsyncArtesian, AsyncConversations
from .async_stream import AsyncStream
from .calls import Parameters
from .errors import ArtesianError, ConnectionLost, Unreachable
from .events import (
    Citation,
    Connection,
    Done,
    Event,
    Guardrail,
    Metrics,
    Other,
    Progress,
    Reasoning,
    Start,
    Status,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from .sync_client import Artesian, Conversations
from .sync_stream import Stream
from .values import Conversation, ConversationPage, Generated, Message, Model, Models, Snapshot

__all__ = [
    "Answer",
    "Artesian",
    "ArtesianError",
    "AsyncArtesian",
    "AsyncConversations",
    "AsyncStream",
    "Citation",
    "Connection",
    "ConnectionLost",
    "Conversation",
    "ConversationPage",
    "Conversations",
    "Done",
    "Event",
    "Generated",
    "Guardrail",
    "Message",
    "Metrics",
    "Model",
    "Models",
    "Other",
    "Parameters",
    "Progress",
    "Reasoning",
    "Snapshot",
    "Start",
    "Status",
    "Stream",
    "Text",
    "ToolCall",
    "ToolResult",
    "Unreachable",
    "Usage",
]
