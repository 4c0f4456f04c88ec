"""The Python client of an Artesian service: `Artesian` and, for asyncio, `AsyncArtesian`.

A stream reconnects by itself and resumes where it was; the model is not called, or billed, again. The package needs
only httpx and imports nothing of the service.

    with Artesian() as artesian, artesian.stream("Why is the sky blue?") as stream:
        for text in stream.texts():
            print(text, end="", flush=True)
"""

from .answer import Answer
from .async_client import AsyncArtesian, AsyncConversations
from .async_stream import AsyncStream
from .calls import Parameters
from .errors import (
    ArtesianError,
    AuthenticationError,
    BadRequest,
    Conflict,
    ConnectionLost,
    Gone,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    ServiceUnavailable,
    TooLarge,
    Unreachable,
)
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
    "AuthenticationError",
    "BadRequest",
    "Citation",
    "Conflict",
    "Connection",
    "ConnectionLost",
    "Conversation",
    "ConversationPage",
    "Conversations",
    "Done",
    "Event",
    "Generated",
    "Gone",
    "Guardrail",
    "Message",
    "Metrics",
    "Model",
    "Models",
    "NotFound",
    "Other",
    "Parameters",
    "PermissionDenied",
    "Progress",
    "RateLimited",
    "Reasoning",
    "ServerError",
    "ServiceUnavailable",
    "Snapshot",
    "Start",
    "Status",
    "Stream",
    "Text",
    "TooLarge",
    "ToolCall",
    "ToolResult",
    "Unreachable",
    "Usage",
]
