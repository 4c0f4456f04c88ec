"""Other people's clients, pointed at the service, and what they make of an answer."""

from collections.abc import Callable
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.dialects.served import without_nulls
from tests.harness import Json, Service, fault_header

HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"


def openai(service: Service, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{service.url}/v1", api_key="key", **{"max_retries": 0} | options)


def anthropic(service: Service, **options: Any) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=service.url, api_key="key", **{"max_retries": 0} | options)


def openai_sync(service: Service) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/v1", api_key="key", max_retries=0)


def anthropic_sync(service: Service) -> Anthropic:
    return Anthropic(base_url=service.url, api_key="key", max_retries=0)


def with_fault(asked: Json, fault: str | None) -> Json:
    """Order a fault along with a request."""
    return asked | {"extra_headers": fault_header(fault)}


def plain(answer: Any) -> Any:
    """What was answered, without what differs from one call to the next and what accumulators add to it."""
    return _cleaned(without_nulls(answer.to_dict(warnings=False) if hasattr(answer, "to_dict") else answer))


_PASSING = {
    "id",
    "created",
    "created_at",
    "completed_at",
    "parsed",
    "parsed_output",
    "parsed_arguments",
    "index",
    "call_id",
}


def _cleaned(value: Any) -> Any:
    match value:
        case dict():
            return {name: _cleaned(member) for name, member in value.items() if name not in _PASSING}
        case list():
            return [_cleaned(member) for member in value]
    return value


async def chat(service: Service, asked: Json) -> Any:
    async with openai(service) as client:
        return plain(await client.chat.completions.create(**asked))


async def chat_streamed(service: Service, asked: Json) -> Any:
    async with openai(service) as client:
        state = ChatCompletionStreamState[None]()
        options: Any = {"include_usage": True}
        async for chunk in await client.chat.completions.create(**asked, stream=True, stream_options=options):
            state.handle_chunk(chunk)
        return plain(state.current_completion_snapshot)


def chat_streamed_sync(service: Service, asked: Json) -> Any:
    with (
        openai_sync(service) as client,
        client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream,
    ):
        stream.until_done()
        return plain(stream.current_completion_snapshot)


async def responses(service: Service, asked: Json) -> Any:
    async with openai(service) as client:
        return plain(await client.responses.create(**asked))


async def responses_streamed(service: Service, asked: Json) -> Any:
    async with openai(service) as client, client.responses.stream(**asked) as stream:
        return plain([event async for event in stream][-1].response)  # type: ignore[union-attr]  # of its last event


def responses_streamed_sync(service: Service, asked: Json) -> Any:
    with openai_sync(service) as client, client.responses.stream(**asked) as stream:
        return plain(list(stream)[-1].response)  # type: ignore[union-attr]  # as above


async def messages(service: Service, asked: Json) -> Any:
    async with anthropic(service) as client:
        return plain(await client.messages.create(**asked))


async def messages_streamed(service: Service, asked: Json) -> Any:
    async with anthropic(service) as client, client.messages.stream(**asked) as stream:
        return plain(await stream.get_final_message())


def messages_streamed_sync(service: Service, asked: Json) -> Any:
    with anthropic_sync(service) as client, client.messages.stream(**asked) as stream:
        return plain(stream.get_final_message())


Streamed = Callable[[Service, Json], Any]
