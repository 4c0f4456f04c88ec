"""The client for programs that wait."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self, Unpack, overload

import httpx

from . import calls
from .address import find_key, find_url
from .answer import Answer
from .calls import Call, Parameters, Service
from .reading import Reading
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

    `api_key` is else `ARTESIAN_API_KEY`. `timeout_s` is the silence after which a connection is taken for dead: the
    service sends a heartbeat every 10 seconds. `backoff_s` is how long to wait before each try to come back to a
    stream, in place of 1, 2, 4 and 8 seconds and of what the server asks for. `http` is a client of your own (for a
    proxy, a certificate); you close it yourself.

    Raises:
        ValueError: that is no address of a service.
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
        """Where the service is."""
        return self._wire.service.url

    def __enter__(self) -> Self:
        """Use it in a block, and close it behind it."""
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
        """Ask, and wait for the whole answer. Give `prompt` or `messages`.

        It comes as a stream all the same: so a broken connection costs nothing, and who stops waiting stops the model.

        Raises:
            ArtesianError: there is no answer, or not all of it: `text` is what there is.
        """
        with self.stream(prompt, messages=messages, **parameters) as stream:
            return stream.answer()

    def stream(
        self, prompt: str | None = None, *, messages: Sequence[Json] | None = None, **parameters: Unpack[Parameters]
    ) -> Stream:
        """Ask, and read the answer as it comes, in a `with` block; leaving the block early cancels the generation."""
        return self._wire.stream(calls.generating(prompt, messages, parameters))

    def attach(self, stream_id: str, *, after: int = 0) -> Stream:
        """Read a stream that is there already, after event number `after`; leaving the block cancels nothing."""
        wire = self._wire
        reading = Reading(wire.service, stream_id=stream_id, after=after, backoff_s=wire.backoff_s)
        return Stream(wire, reading, cancels=False)

    def cancel(self, stream_id: str) -> Snapshot:
        """Cancel a generation; one that is over is left as it is."""
        return read_snapshot(self._wire.ask(calls.cancelling(stream_id)))

    def state(self, stream_id: str) -> Snapshot:
        """Look at a stream as it stands."""
        return read_snapshot(self._wire.ask(calls.state(stream_id)))

    def models(self) -> Models:
        """List the models, with what each can do."""
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
        """Generate in the tutorial's words: a dict; with `stream` the pieces of the text; or a call for each piece.

        `callback(text, done)` gets each piece and False, and at the end `""` and True; then the dict is returned.
        """
        said = self._wire.stream(calls.generating_text(model_id, prompt, temperature, max_tokens))
        return _texts(said) if stream and callback is None else _whole(said, callback)


def _texts(said: Stream) -> Iterator[str]:
    with said:
        yield from said.texts()


def _whole(said: Stream, callback: Callback | None) -> Generated:
    with said:
        for text in said.texts():
            if callback:
                callback(text, False)
        if callback:
            callback("", True)
        return generated(said.answer())


class Conversations:
    """The conversations that the service keeps for us."""

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
        """Begin a conversation; the model is shown its last `max_messages` messages (10)."""
        body = {"title": title, "system": system, "model_id": model_id, "max_messages": max_messages}
        return read_conversation(self._wire.ask(Call("POST", "/api/conversations", calls.given(body))))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> ConversationPage:
        """List a page of conversations, the latest first."""
        return read_page(self._wire.ask(calls.conversations(limit, cursor)))

    def get(self, conversation_id: str) -> Conversation:
        """Read a conversation with its last messages."""
        return read_conversation(self._wire.ask(Call("GET", calls.conversation(conversation_id))))

    def rename(self, conversation_id: str, title: str | None) -> Conversation:
        """Give a conversation another title."""
        return self.change(conversation_id, title=title)

    def change(self, conversation_id: str, **changes: Any) -> Conversation:
        """Change `title`, `system`, `model_id` or `max_messages`; None empties."""
        return read_conversation(self._wire.ask(Call("PATCH", calls.conversation(conversation_id), changes)))

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation and all that was said in it."""
        self._wire.ask(Call("DELETE", calls.conversation(conversation_id)))

    def send(self, conversation_id: str, content: str | Sequence[Json], **parameters: Unpack[Parameters]) -> Answer:
        """Say something, and wait for the whole reply."""
        with self.stream(conversation_id, content, **parameters) as stream:
            return stream.answer()

    def stream(self, conversation_id: str, content: str | Sequence[Json], **parameters: Unpack[Parameters]) -> Stream:
        """Say something, and read the reply as it comes; leaving the block early cancels it.

        The message and the reply are kept, also when this program dies; what a cancelled reply had so far too.
        """
        return self._wire.stream(calls.sending(conversation_id, content, parameters))
