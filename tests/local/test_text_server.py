"""A local server with OpenAI's API can write the text of the answers."""

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
from tests.local.bedrock import CLAUDE, Json, assistant, body_for, frames_of, join_chunks, user
from tests.local.test_families import SERIES

WORDS = ["Deep ", "water ", "rises ", "on its ", "own."]


class TextServer:
    """A server with a fixed answer. It records the requests."""

    def __init__(self) -> None:
        self.requests: list[Json] = []
        self.fails = False
        self.app = Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])

    async def complete(self, request: Request) -> Response:
        self.requests.append(await request.json())
        if self.fails:
            return JSONResponse({"error": "failure"}, 500)
        return StreamingResponse(self._words(), media_type="text/event-stream")

    async def _words(self) -> AsyncIterator[str]:
        yield 'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
        for word in WORDS:
            yield f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n"
        yield 'data: {"choices":[]}\n\ndata: nonsense\n\n'
        yield ": a comment\n\ndata: [DONE]\n\n"


@pytest.fixture
def text_server() -> TextServer:
    return TextServer()


@pytest.fixture
async def http(text_server: TextServer) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve_local(app=text_server.app) as text_url,
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


def text_of(received: list[Json]) -> str:
    return "".join(event.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for event in received)


async def test_the_text_is_sent_as_it_arrives(http: httpx.AsyncClient, text_server: TextServer) -> None:
    received = await events(http, system=[{"text": "Be deep."}], inferenceConfig={"maxTokens": 99})

    assert text_of(received) == "".join(WORDS)
    assert received[-2]["messageStop"]["stopReason"] == "end_turn"
    assert received[-1]["metadata"]["usage"]["outputTokens"] > 5
    assert text_server.requests[0]["messages"] == [
        {"role": "system", "content": "Be deep."},
        {"role": "user", "content": "Speak"},
    ]
    assert text_server.requests[0]["max_tokens"] == 99
    assert text_server.requests[0]["stream"] is True


async def test_a_whole_answer_has_the_text(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"/model/{CLAUDE}/converse", json={"messages": [user("Speak")]})

    assert answer.json()["output"]["message"]["content"] == [{"text": "".join(WORDS)}]


@pytest.mark.parametrize(
    "model", [model for model in SERIES.values() if model.invoke.streams], ids=lambda model: model.series
)
async def test_every_family_sends_the_text(http: httpx.AsyncClient, model: Model) -> None:
    path = f"/model/{model.names[0]}/invoke-with-response-stream"
    answer = await http.post(path, json=body_for(model, "Speak"))
    buffer = EventStreamBuffer()
    buffer.add_data(answer.content)
    chunks = [json.loads(b64decode(json.loads(message.payload)["bytes"])) for message in buffer]

    assert join_chunks(model, chunks).endswith("".join(WORDS))


async def test_the_local_bedrock_applies_limits_and_stop_sequences(http: httpx.AsyncClient) -> None:
    limited = await events(http, inferenceConfig={"maxTokens": 3})
    stopped = await events(http, inferenceConfig={"stopSequences": ["rises on"]})

    assert limited[-1]["metadata"]["usage"]["outputTokens"] == 3
    assert limited[-2]["messageStop"]["stopReason"] == "max_tokens"
    assert text_of(stopped) == "Deep water "
    assert stopped[-2]["messageStop"]["stopReason"] == "stop_sequence"


async def test_the_prefill_is_sent_to_the_text_server(http: httpx.AsyncClient, text_server: TextServer) -> None:
    await events(http, messages=[user("Speak"), assistant("Deep")])

    assert text_server.requests[0]["messages"][-1] == {"role": "assistant", "content": "Deep"}


async def test_an_error_of_the_text_server_is_a_model_error(http: httpx.AsyncClient, text_server: TextServer) -> None:
    text_server.fails = True

    received = await events(http)
    whole = await http.post(f"/model/{CLAUDE}/converse", json={"messages": [user("Speak")]})

    assert received[-1] == {"None": {"message": "The text server answered 500."}}
    assert whole.status_code == 424


async def test_an_unreachable_text_server_is_reported() -> None:
    app = create_local_app(rate=0, text_url="http://127.0.0.1:9")
    async with serve_local(app=app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        whole = await http.post(f"/model/{CLAUDE}/converse", json={"messages": [user("Speak")]})

    assert whole.status_code == 503
    assert "text server" in whole.json()["message"]
