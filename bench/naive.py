"""The service most teams write first: aioboto3's own events, `json`, and one sse-starlette send a delta."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
from aiobotocore.config import AioConfig
from fastapi import FastAPI, Request
from pydantic import BaseModel
from sse_starlette import EventSourceResponse


class Generate(BaseModel):
    """The tutorial's body."""

    prompt: str
    model_id: str


@asynccontextmanager
async def _client(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    config = AioConfig(max_pool_connections=1100, read_timeout=120)
    session = aioboto3.Session(region_name="us-east-1")
    async with session.client("bedrock-runtime", config=config, endpoint_url=os.environ["BENCH_UPSTREAM"]) as client:
        yield {"client": client}


app = FastAPI(lifespan=_client)


@app.post("/api/generate/stream")
async def generate(body: Generate, request: Request) -> EventSourceResponse:
    """Stream an answer."""
    answer = await request.state.client.converse_stream(
        modelId=body.model_id,
        messages=[{"role": "user", "content": [{"text": body.prompt}]}],
        inferenceConfig={"maxTokens": 500},
    )

    async def events() -> AsyncIterator[dict[str, str]]:
        async for event in answer["stream"]:
            if text := event.get("contentBlockDelta", {}).get("delta", {}).get("text"):
                yield {"data": json.dumps({"text": text})}
        yield {"data": json.dumps({"done": True})}

    return EventSourceResponse(events())
