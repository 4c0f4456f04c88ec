"""`artesian serve` with a bug in it: two routes that stumble over what they were sent."""

import json
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.responses import StreamingResponse

from service.app import create_app
from service.server import serve
from service.settings import read_settings
from service.telemetry.logs import configure_logs


async def crash(request: Request) -> None:
    """Stumble before the answer begins."""
    said = (await request.json())["prompt"]
    try:
        int(said)
    except ValueError as error:
        raise KeyError(said) from error


async def crash_later(request: Request) -> StreamingResponse:
    """Stumble in the middle of it."""
    said = json.loads(await request.body())["prompt"]

    async def pieces() -> AsyncIterator[bytes]:
        yield b"so far "
        raise RuntimeError(said)

    return StreamingResponse(pieces())


if __name__ == "__main__":
    settings = read_settings()
    configure_logs(settings.log_format, settings.log_level)
    app = create_app(settings)
    app.add_api_route("/api/crash", crash, methods=["POST"])
    app.add_api_route("/v1/messages/crash", crash, methods=["POST"])
    app.add_api_route("/api/crash/later", crash_later, methods=["POST"])
    serve(settings, app)
