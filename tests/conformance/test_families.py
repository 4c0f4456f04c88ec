"""Every family of the catalogue on both APIs, over real sockets: what the wire says is what a reader gets.

Driven by the catalogue: a family or series is covered by being listed. One model stands for each series.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec import structs

from service.answer import Answer
from service.bedrock.catalog.model import Abilities, Api
from service.bedrock.catalog.resolution import MODELS, Model, Target, resolve
from service.bedrock.client import Endpoint, open_client
from service.bedrock.upstream import Upstream
from service.deltas import SHOWN, Delta, Stop, StopReason, Unknown, Usage
from service.errors import UpstreamError
from service.generation import Message, Reasoning, Request, Text, Tool, ToolChoice
from service.local.server import serve_local

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "Tell me about rivers"
WEATHER = Tool(
    "get_weather",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "The weather in a city",
)


def series() -> Iterator[Model]:
    """One model of each series, the first that is listed."""
    seen: set[str] = set()
    for model in MODELS:
        if model.series not in seen:
            seen.add(model.series)
            yield model


def apis(model: Model) -> tuple[Api, ...]:
    """The APIs a model has."""
    return ("converse", "invoke") if model.converse else ("invoke",)


def every_family(can: Callable[[Model, Abilities], object] = lambda *_: True) -> pytest.MarkDecorator:
    """Run for each series on each of its APIs, where the catalogue says that it can."""
    cases = [
        pytest.param(model, api, id=f"{model.series}-{api}")
        for model in series()
        for api in apis(model)
        if can(model, model.on(api))
    ]
    return pytest.mark.parametrize(("model", "api"), cases)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bedrock() -> AsyncIterator[Upstream]:
    """The door to a local Bedrock that obeys faults and speaks as fast as it goes."""
    async with (
        serve_local(rate=0, faults=True) as url,
        open_client(Endpoint.local(url), max_streams=10, connect_timeout=5) as client,
    ):
        yield Upstream(client)


def asking(model: Model, api: Api, prompt: str = QUESTION, **parameters: Any) -> tuple[Request, Target]:
    """A request for a model on one API, and whom it calls."""
    request = Request(
        model_id=model.names[0],
        messages=(Message("user", (Text(prompt),)),),
        api=api,
        **{"max_tokens": 2000} | parameters,
    )
    return request, resolve(request)


async def read(bedrock: Upstream, request: Request, target: Target, into: list[Delta] | None = None) -> list[Delta]:
    """Read an answer to its end, or to its failure: what came before that is in `into`."""
    deltas = [] if into is None else into
    async with bedrock.open(request, target) as answer:
        await answer.follow(deltas.extend)
    return deltas


def content(deltas: list[Delta]) -> list[dict[str, Any]]:
    """Fold deltas into content blocks, without what differs from call to call."""
    blocks = Answer(delta for delta in deltas if isinstance(delta, SHOWN)).content
    for block in blocks:
        block.pop("id", None)
        block.pop("signature", None)
    return sorted(blocks, key=lambda block: str(block["type"]))  # R1's whole answer has its text first


def spent(deltas: list[Delta]) -> Usage:
    """The last word on usage."""
    usage = Usage()
    for delta in deltas:
        if isinstance(delta, Usage):
            usage = usage.merged(delta)
    return usage


def stop(deltas: list[Delta]) -> Stop:
    """Why the model stopped: said exactly once, after everything it said."""
    (found,) = [delta for delta in deltas if isinstance(delta, Stop)]
    last_word = max((n for n, delta in enumerate(deltas) if isinstance(delta, SHOWN)), default=-1)
    assert deltas.index(found) > last_word
    return found


@every_family()
async def test_a_stream_and_a_whole_answer_say_the_same(bedrock: Upstream, model: Model, api: Api) -> None:
    request, target = asking(model, api)
    whole = await read(bedrock, request, structs.replace(target, streams=False))
    streamed = await read(bedrock, request, target)

    assert content(streamed) == content(whole)
    assert any(block["type"] == "text" and block["text"].strip() for block in content(whole))
    assert stop(streamed).reason == stop(whole).reason == StopReason.END_TURN
    assert not [delta for delta in streamed + whole if isinstance(delta, Unknown)]


@every_family()
async def test_usage_is_what_bedrock_counted(bedrock: Upstream, model: Model, api: Api) -> None:
    request, target = asking(model, api)
    streamed = spent(await read(bedrock, request, target))
    whole = spent(await read(bedrock, request, structs.replace(target, streams=False)))

    assert (streamed.input_tokens, streamed.output_tokens) == (whole.input_tokens, whole.output_tokens)
    assert streamed.input_tokens
    assert streamed.output_tokens
    assert not streamed.estimated


@every_family()
@pytest.mark.parametrize("fault", ["drip", "split"])
async def test_where_the_bytes_are_cut_changes_nothing(bedrock: Upstream, model: Model, api: Api, fault: str) -> None:
    request, target = asking(model, api, max_tokens=20)
    smooth = await read(bedrock, request, target)
    cut = await read(bedrock, structs.replace(request, fault=fault), target)

    assert content(cut) == content(smooth)
    assert stop(cut) == stop(smooth)
    assert spent(cut) == spent(smooth)


@every_family(lambda model, _: not model.always_reasons)  # reasoning may take the whole limit
async def test_the_limit_of_tokens_is_told(bedrock: Upstream, model: Model, api: Api) -> None:
    request, target = asking(model, api, max_tokens=12)
    deltas = await read(bedrock, request, target)

    assert stop(deltas).reason == StopReason.MAX_TOKENS


@every_family(lambda _, abilities: abilities.stop_sequences)
async def test_a_stop_sequence_is_told(bedrock: Upstream, model: Model, api: Api) -> None:
    request, target = asking(model, api)
    text = Answer(delta for delta in await read(bedrock, request, target) if isinstance(delta, SHOWN)).text
    word = text.split()[12]
    deltas = await read(bedrock, structs.replace(request, stop_sequences=(word,)), target)

    said = Answer(delta for delta in deltas if isinstance(delta, SHOWN)).text
    assert word not in said
    assert said
    assert stop(deltas).reason in {StopReason.STOP_SEQUENCE, StopReason.END_TURN}


@every_family(lambda _, abilities: abilities.tools)
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
async def test_a_tool_is_called_with_its_arguments(bedrock: Upstream, model: Model, api: Api, *, streams: bool) -> None:
    choice = ToolChoice("any") if "any" in (model.on(api).tool_choice or ()) else None
    request, target = asking(
        model, api, "Use get_weather for Oslo", tools=(WEATHER,), tool_choice=choice, max_tokens=2000
    )
    deltas = await read(bedrock, request, structs.replace(target, streams=target.streams and streams))

    (call,) = [block for block in content(deltas) if block["type"] == "tool_use"]
    assert call["name"] == "get_weather"
    assert isinstance(call["input"]["city"], str)
    assert stop(deltas).reason == StopReason.TOOL_USE


@every_family(lambda model, abilities: abilities.reasoning and (model.series != "gpt" or abilities is model.converse))
async def test_reasoning_is_no_text(bedrock: Upstream, model: Model, api: Api) -> None:
    abilities = model.on(api)  # GPT keeps its reasoning to itself on InvokeModel
    effort = Reasoning(effort="high") if abilities.reasoning == "high_only" else Reasoning(effort="low")
    asked = None if abilities.reasoning == "inherent" else effort
    request, target = asking(model, api, reasoning=asked, max_tokens=4000)
    deltas = await read(bedrock, request, target)

    blocks = content(deltas)
    assert any(block["type"] == "reasoning" for block in blocks)
    assert not any("<think" in block.get("text", "") or "<reasoning" in block.get("text", "") for block in blocks)
    assert stop(deltas).reason == StopReason.END_TURN


@every_family(lambda _, abilities: abilities.streams)
async def test_an_exception_in_the_stream_is_told_after_what_came_before(
    bedrock: Upstream, model: Model, api: Api
) -> None:
    request, target = asking(model, api)
    seen: list[Delta] = []
    with pytest.raises(UpstreamError) as failure:
        await read(bedrock, structs.replace(request, fault="exception=throttlingException@1"), target, seen)

    assert failure.value.code.name == "throttled"
    assert failure.value.retried
    assert content(seen)


@every_family(lambda _, abilities: abilities.streams)
async def test_a_cut_is_no_end(bedrock: Upstream, model: Model, api: Api) -> None:
    request, target = asking(model, api)
    with pytest.raises(UpstreamError) as failure:
        await read(bedrock, structs.replace(request, fault="cut@1"), target)

    assert failure.value.code.name == "upstream_truncated"
