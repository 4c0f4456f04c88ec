"""The client for an event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any, Literal, Self, Unpack, overload

import httpx

from . import calls
from .address import find_key, find_url
from .answer import Answer
from .async_stream import AsyncStream, AsyncWire
from .calls import Call, Parameters, Service
from .reading import Reading
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

Callback = Callable[[str, bool], object] | Callable[[str, bool], Awaitable[object]]


class AsyncArtesian:
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
        http: httpx.AsyncClient | None = None,
    ) -> None:
        service = Service(find_url(url), find_key(api_key), headers or {}, timeout_s)
        self._wire = AsyncWire(service, http, backoff_s)
        self.conversations = AsyncConversations(self._wire)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._wire.service.url

    async def __aenter__(self) -> Self:
        """Use it in a block, and close it behind it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    async def generate(
        self, prompt: str | None = None, *, messages: Sequence[Json] | None = None, **parameters: Unpack[Parameters]
    ) -> Answer:
        """Ask, and wait for the whole answer. Give `prompt` or `messages`.

        It comes as a stream all the same: so a broken connection costs nothing, and who stops waiting stops the model.

        Raises:
            ArtesianError: there is no answer, or not all of it: `text` is what there is.
        """
        async with self.stream(prompt, messages=messages, **parameters) as stream:
            return await stream.answer()

    def stream(
        self, prompt: str | None = None, *, messages: Sequence[Json] | None = None, **parameters: Unpack[Parameters]
    ) -> AsyncStream:
        """Ask, and read the answer as it comes, in an `async with` block; leaving it early cancels the generation."""
        return self._wire.stream(calls.generating(prompt, messages, parameters))

    def attach(self, stream_id: str, *, after: int = 0) -> AsyncStream:
        """Read a stream that is there already, after event number `after`; leaving the block cancels nothing."""
        wire = self._wire
        reading = Reading(wire.service, stream_id=stream_id, after=after, backoff_s=wire.backoff_s)
        return AsyncStream(wire, reading, cancels=False)

    async def cancel(self, stream_id: str) -> Snapshot:
        """Cancel a generation; one that is over is left as it is."""
        return read_snapshot(await self._wire.ask(calls.cancelling(stream_id)))

    async def state(self, stream_id: str) -> Snapshot:
        """Look at a stream as it stands."""
        return read_snapshot(await self._wire.ask(calls.state(stream_id)))

    async def models(self) -> Models:
        """List the models, with what each can do."""
        return read_models(await self._wire.ask(Call("GET", "/api/models")))

    @overload
    async def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        stream: Literal[False] = False,  # noqa: FBT002 - the tutorial's signature, here and below
        callback: Callback | None = None,
    ) -> Generated: ...
    @overload
    async def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        *,
        stream: Literal[True],
        callback: None = None,
    ) -> AsyncIterator[str]: ...
    @overload
    async def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        *,
        stream: bool,
        callback: Callback,
    ) -> Generated: ...
    async def generate_text(
        self,
        model_id: str | None,
        prompt: str,
        temperature: float | None = None,
        max_tokens: int = 500,
        stream: bool = False,  # noqa: FBT001, FBT002
        callback: Callback | None = None,
    ) -> Generated | AsyncIterator[str]:
        """Generate in the tutorial's words: a dict; with `stream` the pieces of the text; or a call for each piece.

        `callback(text, done)`, a function or a coroutine function, gets each piece and False, and at the end `""` and
        True; then the dict is returned.
        """
        said = self._wire.stream(calls.generating_text(model_id, prompt, temperature, max_tokens))
        return _texts(said) if stream and callback is None else await _whole(said, callback)


async def _texts(said: AsyncStream) -> AsyncIterator[str]:
    async with said:
        async for text in said.texts():
            yield text


async def _whole(said: AsyncStream, callback: Callback | None) -> Generated:
    async with said:
        async for text in said.texts():
            if callback:
                await _told(callback(text, False))
        if callback:
            await _told(callback("", True))
        return generated(await said.answer())


async def _told(told: object) -> None:
    """Wait for a callback that is a coroutine."""
    if isawaitable(told):
        await told


class AsyncConversations:
    """The conversations that the service keeps for us."""

    def __init__(self, wire: AsyncWire) -> None:
        self._wire = wire

    async def create(
        self,
        title: str | None = None,
        *,
        system: str | None = None,
        model_id: str | None = None,
        max_messages: int | None = None,
    ) -> Conversation:
        """Begin a conversation; the model is shown its last `max_messages` messages (10)."""
        body = {"title": title, "system": system, "model_id": model_id, "max_messages": max_messages}
        return read_conversation(await self._wire.ask(Call("POST", "/api/conversations", calls.given(body))))

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> ConversationPage:
        """List a page of conversations, the latest first."""
        return read_page(await self._wire.ask(calls.conversations(limit, cursor)))

    async def get(self, conversation_id: str) -> Conversation:
        """Read a conversation with its last messages."""
        return read_conversation(await self._wire.ask(Call("GET", calls.conversation(conversation_id))))

    async def rename(self, conversation_id: str, title: str | None) -> Conversation:
        """Give a conversation another title."""
        return await self.change(conversation_id, title=title)

    async def change(self, conversation_id: str, **changes: Any) -> Conversation:
        """Change `title`, `system`, `model_id` or `max_messages`; None empties."""
        return read_conversation(await self._wire.ask(Call("PATCH", calls.conversation(conversation_id), changes)))

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation and all that was said in it."""
        await self._wire.ask(Call("DELETE", calls.conversation(conversation_id)))

    async def send(
        self, conversation_id: str, content: str | Sequence[Json], **parameters: Unpack[Parameters]
    ) -> Answer:
        """Say something, and wait for the whole reply."""
        async with self.stream(conversation_id, content, **parameters) as stream:
            return await stream.answer()

    def stream(
        self, conversation_id: str, content: str | Sequence[Json], **parameters: Unpack[Parameters]
    ) -> AsyncStream:
        """Say something, and read the reply as it comes; leaving the block early cancels it.

        The message and the reply are kept, also when this program dies; what a cancelled reply had so far too.
        """
        return self._wire.stream(calls.sending(conversation_id, content, parameters))
