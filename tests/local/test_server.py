"""The server: it starts and stops inside an event loop, serves many streams at once, and limits its rate."""

import asyncio
import json
import socket
from typing import Any

import aioboto3
import httpx
import pytest
import uvicorn
from botocore.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.local import create_local_app, serve_local
from tests.local.bedrock import CLAUDE, Local, frames_of, user
from tests.waiting import PATIENCE_S, patience

PATH = f"/model/{CLAUDE}/converse-stream"


async def test_the_server_stops_during_an_answer() -> None:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        app = create_local_app(rate=0, faults=True)
        serving = serve_local(app=app)
        url = await serving.__aenter__()
        headers = {"X-Artesian-Fault": "stall@1"}
        async with http.stream("POST", url + PATH, json={"messages": [user("Hi")]}, headers=headers) as response:
            frames = frames_of(response)
            await anext(frames)
            async with patience():
                await serving.__aexit__(None, None, None)
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                _ = [frame async for frame in frames]
    assert app.state.calls[-1].closed.is_set()


async def test_a_port_can_be_chosen_and_is_free_again_afterwards() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for _ in range(2):
        async with serve_local(port=port) as url:
            assert url == f"http://127.0.0.1:{port}"
            with pytest.raises(OSError, match="in use"):
                async with serve_local(port=port):
                    pass


async def test_two_hundred_streams_are_served_at_once(local: Local) -> None:
    body = json.dumps({"messages": [user("Why do wells flow?")]}).encode()

    async with patience():
        answers = await asyncio.gather(*(_raw(local.url, body) for _ in range(200)))

    assert all(b"messageStop" in answer and answer.endswith(b"0\r\n\r\n") for answer in answers)


async def _raw(url: str, body: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {PATH} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_default_rate_paces_an_answer(local: Local) -> None:
    app = create_local_app()
    body = {"messages": [user("Hi")], "inferenceConfig": {"maxTokens": 20}}
    async with (
        serve_local(app=app) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False) as http,
        http.stream("POST", PATH, json=body) as response,
    ):
        frames = frames_of(response)
        await anext(frames)
        assert app.state.calls[0].deltas < 20  # the first frame does not wait for the last
        await local.http.post(PATH, json=body)
        assert app.state.calls[0].state == "open"  # an unpaced answer has ended
        assert [frame async for frame in frames][-1].headers[":event-type"] == "metadata"


async def test_aioboto3_reads_the_answers(local: Local) -> None:
    config = Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    opening: Any = aioboto3.Session().client("bedrock-runtime", endpoint_url=local.url, config=config, **keys)
    async with opening as client:
        answer = await client.converse_stream(modelId=CLAUDE, messages=[user("Hi")])
        events = [event async for event in answer["stream"]]

    assert "metadata" in events[-1]


UNKNOWN = {
    "another path": ("GET", "/model/a/b/converse", 404),
    "another method": ("GET", f"/model/{CLAUDE}/converse", 404),
    "the root": ("POST", "/", 404),
}


@pytest.mark.parametrize(("method", "path", "status"), UNKNOWN.values(), ids=UNKNOWN)
async def test_an_unknown_path_is_an_unknown_operation(local: Local, method: str, path: str, status: int) -> None:
    answer = await local.http.request(method, path)

    assert answer.status_code == status
    assert answer.headers["x-amzn-errortype"].startswith("UnknownOperationException")


async def test_a_body_that_is_too_long_is_rejected(local: Local) -> None:
    answer = await local.http.post(f"/model/{CLAUDE}/invoke", content=b" " * 25_000_001)

    assert answer.status_code == 400
    assert "25000000 bytes" in answer.json()["message"]


async def test_on_another_server_a_broken_connection_is_an_error_of_the_app() -> None:
    """Without our protocol class the app does not get the transport; the server closes the connection."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.setblocking(False)
    app = create_local_app(rate=0, faults=True)
    config = uvicorn.Config(app, log_config=None, log_level="critical", access_log=False, ws="none", lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            headers = {"X-Artesian-Fault": "drop@2"}
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post(PATH, json={"messages": [user("Hi")]}, headers=headers)
    finally:
        await server.shutdown(sockets=[listener])


async def test_the_server_stops_while_a_handler_does_not_return() -> None:
    started = asyncio.Event()

    async def hang(_: Request) -> Response:
        started.set()
        await asyncio.Event().wait()
        return Response()

    async with httpx.AsyncClient(trust_env=False) as http:
        async with serve_local(app=Starlette(routes=[Route("/", hang)])) as url:
            request = asyncio.create_task(http.get(url))
            async with patience():
                await started.wait()
        await asyncio.wait({request})
    assert isinstance(request.exception(), httpx.RemoteProtocolError | httpx.ReadError)
