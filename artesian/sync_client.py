"""The synchronous client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, Unpack, overload

import httpx

from . import calls
from .address import find_key, find_url
from .answer import Answer
from .calls import Call, Parameters, Service
from .cursor import Cursor
from .sync_stream import Stream, Wire
from .values import (
    Conversation,
    ConversationPage,
    Generated,
    Json,
    Models,
    Snapshot,
    generated,
    read_conversation,
    read_models,
    read_page,
    read_snapshot,
)

Callback = Callable[[str, bool], object]


class Artesian:
    """A service at `url`, else at `ARTESIAN_URL`, else at `ARTESIAN_HOST` and `ARTESIAN_PORT`.

    `api_key` is else `ARTESIAN_API_KEY`. `timeout_s` is the inactivity timeout of a connection: the service sends a
    heartbeat every 10 seconds. `backoff_s` lists the delays before each reconnect, in place of 1, 2, 4 and 8 seconds
    and of what the server asks for. `http` is an httpx client of yours (for a proxy, a certificate); close it yourself.

    Raises:
        ValueError: `url` is not an http or https URL.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        backoff_s: Sequence[float] | None = None,
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        service = Service(find_url(url), find_key(api_key), headers or {}, timeout_s)
        self._wire = Wire(service, http, backoff_s)
        self.conversations = Conversations(self._wire)

    @property
    def url(self) -> str:
        """The URL of the service."""
        return self._wire.service.url

    def __enter__(self) -> Self:
        """Open a block that closes the client at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def generate(
        self, prompt: str | None = None, *, messages: Sequence[Json] | None = None, **parameters: Unpack[Parameters]
    ) -> Answer:
        """Generate, and wait for the whole answer. Give `prompt` or `messages`.

        It is read as a stream, so a dropped connection is resumed, and an interrupted call cancels the generation.

        Raises:
            ArtesianError: the generation failed; `text` has what was received.
        """
        with self.stream(prompt, messages=messages, **parameters) as stream:
            return stream.answer()

    def stream(
        self, prompt: str | None = None, *, messages: Sequence[Json] | None = None, **parameters: Unpack[Parameters]
    ) -> Stream:
        """Generate a stream, for a `with` block; leaving the block early cancels the generation."""
        return self._wire.stream(calls.generate(prompt, messages, parameters))

    def attach(self, stream_id: str, *, after: int = 0) -> Stream:
        """Read an existing stream from after event number `after`; the end of the block does not cancel it."""
        wire = self._wire
        cursor = Cursor(wire.service, stream_id=stream_id, after=after, backoff_s=wire.backoff_s)
        return Stream(wire, cursor, cancels=False)

    def cancel(self, stream_id: str) -> Snapshot:
        """Cancel a generation; one that has ended is unchanged."""
        return read_snapshot(self._wire.ask(calls.cancel(stream_id)))

    def state(self, stream_id: str) -> Snapshot:
        """Return a stream's current state."""
        return read_snapshot(self._wire.ask(calls.state(stream_id)))

    def models(self) -> Models:
        """List the models and their capabilities."""
        return read_models(self._wire.ask(Call("GET", "/api/models")))

    @overload
    def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        stream: Literal[False] = False,  # noqa: FBT002 - the tutorial's signature, here and below
        callback: Callback | None = None,
    ) -> Generated: ...
    @overload
    def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        *,
        stream: Literal[True],
        callback: None = None,
    ) -> Iterator[str]: ...
    @overload
    def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        *,
        stream: bool,
        callback: Callback,
    ) -> Generated: ...
    def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        stream: bool = False,  # noqa: FBT001, FBT002
        callback: Callback | None = None,
    ) -> Generated | Iterator[str]:
        """Generate with the tutorial's signature: returns a dict, or with `stream` an iterator of text deltas.

        `callback(text, done)` gets each piece and False, and at the end `""` and True; then the dict is returned.
        """
        streamed = self._wire.stream(calls.generate_text(model_id, prompt, temperature, max_tokens))
        return _texts(streamed) if stream and callback is None else _whole(streamed, callback)


def _texts(streamed: Stream) -> Iterator[str]:
    with streamed:
        yield from streamed.texts()


def _whole(streamed: Stream, callback: Callback | None) -> Generated:
    with streamed:
        for text in streamed.texts():
            if callback:
                callback(text, False)
        if callback:
            callback("", True)
        return generated(streamed.answer())


class Conversations:
    """The conversations that the service stores."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create(
        self,
        title: str | None = None,
        *,
        system: str | None = None,
        model_id: str | None = None,
        max_messages: int | None = None,
    ) -> Conversation:
        """Create a conversation; its last `max_messages` messages (10) are the model's context."""
        body = {"title": title, "system": system, "model_id": model_id, "max_messages": max_messages}
        return read_conversation(self._wire.ask(Call("POST", "/api/conversations", calls.given(body))))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> ConversationPage:
        """List a page of conversations, newest first."""
        return read_page(self._wire.ask(calls.conversations(limit, cursor)))

    def get(self, conversation_id: str) -> Conversation:
        """Read a conversation with its last messages."""
        return read_conversation(self._wire.ask(Call("GET", calls.conversation(conversation_id))))

    def rename(self, conversation_id: str, title: str | None) -> Conversation:
        """Change a conversation's title."""
        return self.change(conversation_id, title=title)

    def change(self, conversation_id: str, **changes: Any) -> Conversation:
        """Change `title`, `system`, `model_id` or `max_messages`; None clears a value."""
        return read_conversation(self._wire.ask(Call("PATCH", calls.conversation(conversation_id), changes)))

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation and its messages."""
        self._wire.ask(Call("DELETE", calls.conversation(conversation_id)))

    def send(self, conversation_id: str, content: str | Sequence[Json], **parameters: Unpack[Parameters]) -> Answer:
        """Send a message and wait for the whole reply."""
        with self.stream(conversation_id, content, **parameters) as stream:
            return stream.answer()

    def stream(self, conversation_id: str, content: str | Sequence[Json], **parameters: Unpack[Parameters]) -> Stream:
        """Send a message and stream the reply; leaving the block early cancels it.

        The service stores the message and the reply, also a cancelled reply's text so far.
        """
        return self._wire.stream(calls.send_message(conversation_id, content, parameters))
