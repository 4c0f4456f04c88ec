"""Serves the local Bedrock on a local socket, inside the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.local.app import create_local_app

_STOP_TIMEOUT = 1.0  # seconds in which running answers end


class _Connection(H11Protocol):
    """Passes the transport to the app, so that faults can close a connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


@asynccontextmanager
async def serve_local(
    port: int = 0, *, host: str = "127.0.0.1", app: Starlette | None = None, **options: Any
) -> AsyncIterator[str]:
    """Serve a local Bedrock inside the block, and yield its address.

    `options` are those of `create_local_app`, without `app`. No signal handlers are installed. Running answers are
    aborted at the end.

    Raises:
        OSError: the port is in use.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app or create_local_app(**options), http=_Connection, ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False, timeout_keep_alive=75,
    )  # fmt: skip
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        address = f"[{host}]" if ":" in host else host
        yield f"http://{address}:{listener.getsockname()[1]}"
    finally:
        await _stop(server)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # connections inherit it; no delay of small frames
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


async def _stop(server: uvicorn.Server) -> None:
    """Stop listening, abort all connections, and wait for the running answers to end."""
    for listening in server.servers:
        listening.close()
    for connection in tuple(server.server_state.connections):
        connection.transport.abort()
    if tasks := tuple(server.server_state.tasks):
        _, running = await asyncio.wait(tasks, timeout=_STOP_TIMEOUT)
        for task in running:
            task.cancel()
    for listening in server.servers:
        await listening.wait_closed()
