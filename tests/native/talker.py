"""A tiny server with OpenAI's interface, so that the local Bedrock says what a test wants it to (`LOCAL_TEXT_URL`)."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tests.harness import serving


@asynccontextmanager
async def talking(words: Sequence[str]) -> AsyncIterator[str]:
    """Run it while the block lasts: each word is a chunk of its own, and one of Bedrock's deltas."""
    app = FastAPI()

    async def say() -> AsyncIterator[str]:
        for word in words:
            yield f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n"
        yield "data: [DONE]\n\n"

    @app.post("/v1/chat/completions")
    async def complete() -> StreamingResponse:
        return StreamingResponse(say(), media_type="text/event-stream")

    async with serving(app) as url:
        yield url
