"""The bare floor of the same stack: aiohttp signed by hand, a decoder for text alone, one write a read.

It knows one API, no errors, no numbers, no resuming: what is left is what aiohttp, FastAPI and uvicorn cost.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from struct import unpack_from
from typing import Any
from urllib.parse import quote

import aiohttp
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

UPSTREAM = os.environ["BENCH_UPSTREAM"]
_SIGNER = SigV4Auth(Credentials("bench", "bench"), "bedrock", "us-east-1")
_PRELUDE = 12
_TEXT = b'"delta":{"text":'


@asynccontextmanager
async def _session(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout()) as session:
        yield {"session": session}


app = FastAPI(lifespan=_session)


def _frames(buffer: bytearray) -> bytes:
    """Take the whole frames off a buffer, and write their texts as events."""
    events = []
    at, size = 0, len(buffer)
    while size - at >= _PRELUDE:
        total, headers = unpack_from("!II", buffer, at)
        if size - at < total:
            break
        payload = bytes(buffer[at + _PRELUDE + headers : at + total - 4])
        if (found := payload.find(_TEXT)) >= 0:
            text = payload[found + len(_TEXT) : payload.index(b"}", found)]
            events.append(b'data: {"text":' + text + b"}\n\n")
        at += total
    del buffer[:at]
    return b"".join(events)


@app.post("/api/generate/stream")
async def generate(request: Request) -> StreamingResponse:
    """Stream an answer."""
    body = json.loads(await request.body())
    url = f"{UPSTREAM}/model/{quote(body['model_id'], safe='')}/converse-stream"
    asked = json.dumps({"messages": [{"role": "user", "content": [{"text": body["prompt"]}]}]})
    signed = AWSRequest("POST", url, headers={"Content-Type": "application/json"}, data=asked)
    _SIGNER.add_auth(signed)
    answer = await request.state.session.post(url, data=asked, headers=dict(signed.headers))

    async def events() -> AsyncIterator[bytes]:
        buffer = bytearray()
        try:
            async for read in answer.content.iter_any():
                buffer += read
                if written := _frames(buffer):
                    yield written
            yield b'data: {"done":true}\n\n'
        finally:
            answer.close()

    return StreamingResponse(events(), media_type="text/event-stream")
