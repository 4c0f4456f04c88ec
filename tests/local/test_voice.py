"""A local server with OpenAI's interface can find the words; all else stays."""

import json
from base64 import b64decode
from collections.abc import AsyncIterator

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from service.bedrock.catalog.resolution import Model
from service.local import create_local_app, serve_local
from tests.local.bedrock import CLAUDE, Json, assistant, body_for, frames_of, said, user
from tests.local.test_families import SERIES

WORDS = ["Deep ", "water ", "rises ", "on its ", "own."]


class Voice:
    """A server that says the same words to everybody, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self.fails = False
        self.app = Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])

    async def complete(self, request: Request) -> Response:
        self.asked.append(await request.json())
        if self.fails:
            return JSONResponse({"error": "out of words"}, 500)
        return StreamingResponse(self._words(), media_type="text/event-stream")

    async def _words(self) -> AsyncIterator[str]:
        yield 'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
        for word in WORDS:
            yield f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n"
        yield 'data: {"choices":[]}\n\ndata: nonsense\n\n'
        yield ": a comment\n\ndata: [DONE]\n\n"


@pytest.fixture
def voice() -> Voice:
    return Voice()


@pytest.fixture
async def http(voice: Voice) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve_local(app=voice.app) as text_url,
        serve_local(rate=0, text_url=text_url) as url,
        httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client,
    ):
        yield client


async def events(http: httpx.AsyncClient, **body: object) -> list[Json]:
    path = f"/model/{CLAUDE}/converse-stream"
    async with http.stream("POST", path, json={"messages": [user("Speak")]} | body) as response:
        return [
            {str(frame.headers.get(":event-type")): json.loads(frame.payload)} async for frame in frames_of(response)
        ]


def text_of(told: list[Json]) -> str:
    return "".join(event.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for event in told)


async def test_its_words_are_passed_on_as_they_come(http: httpx.AsyncClient, voice: Voice) -> None:
    told = await events(http, system=[{"text": "Be deep."}], inferenceConfig={"maxTokens": 99})

    assert text_of(told) == "".join(WORDS)
    assert told[-2]["messageStop"]["stopReason"] == "end_turn"
    assert told[-1]["metadata"]["usage"]["outputTokens"] > 5
    assert voice.asked[0]["messages"] == [
        {"role": "system", "content": "Be deep."},
        {"role": "user", "content": "Speak"},
    ]
    assert voice.asked[0]["max_tokens"] == 99
    assert voice.asked[0]["stream"] is True


async def test_its_words_are_told_whole(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"/model/{CLAUDE}/converse", json={"messages": [user("Speak")]})

    assert answer.json()["output"]["message"]["content"] == [{"text": "".join(WORDS)}]


@pytest.mark.parametrize(
    "model", [model for model in SERIES.values() if model.invoke.streams], ids=lambda model: model.series
)
async def test_every_family_speaks_them(http: httpx.AsyncClient, model: Model) -> None:
    path = f"/model/{model.names[0]}/invoke-with-response-stream"
    answer = await http.post(path, json=body_for(model, "Speak"))
    buffer = EventStreamBuffer()
    buffer.add_data(answer.content)
    chunks = [json.loads(b64decode(json.loads(message.payload)["bytes"])) for message in buffer]

    assert said(model, chunks).endswith("".join(WORDS))


async def test_limits_are_kept_here(http: httpx.AsyncClient) -> None:
    limited = await events(http, inferenceConfig={"maxTokens": 3})
    stopped = await events(http, inferenceConfig={"stopSequences": ["rises on"]})

    assert limited[-1]["metadata"]["usage"]["outputTokens"] == 3
    assert limited[-2]["messageStop"]["stopReason"] == "max_tokens"
    assert text_of(stopped) == "Deep water "
    assert stopped[-2]["messageStop"]["stopReason"] == "stop_sequence"


async def test_the_answer_so_far_is_handed_on(http: httpx.AsyncClient, voice: Voice) -> None:
    await events(http, messages=[user("Speak"), assistant("Deep")])

    assert voice.asked[0]["messages"][-1] == {"role": "assistant", "content": "Deep"}


async def test_its_failure_is_the_models(http: httpx.AsyncClient, voice: Voice) -> None:
    voice.fails = True

    told = await events(http)
    whole = await http.post(f"/model/{CLAUDE}/converse", json={"messages": [user("Speak")]})

    assert told[-1] == {"None": {"message": "The text server answered 500."}}
    assert whole.status_code == 424


async def test_a_server_that_is_not_there_is_told() -> None:
    app = create_local_app(rate=0, text_url="http://127.0.0.1:9")
    async with serve_local(app=app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        whole = await http.post(f"/model/{CLAUDE}/converse", json={"messages": [user("Speak")]})

    assert whole.status_code == 503
    assert "text server" in whole.json()["message"]
