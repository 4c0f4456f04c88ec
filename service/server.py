"""Running the service under uvicorn, and a shutdown that lets streams end.

uvicorn closes its listeners as soon as SIGTERM comes. Here the process drains first: `/readyz` turns 503, no further
generation is taken, and those that run go on for `DRAIN_TIMEOUT`; only then does uvicorn hear of the signal. That is
done from the lifespan, so it holds in a worker and under a bare `uvicorn service.main:app` as well.
"""

import asyncio
import errno
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from math import ceil
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from service import __version__
from service.http.outlet import Outlet, offer, round_of
from service.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_HEAD_BYTES = 65_536  # an address and its headers: ten times what browsers send, so that a prompt may stand in it
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n\r\nThe address and the headers have more than 65,536 bytes; send a prompt by POST."
)
_PIPELINED = 32  # requests that wait behind the one that is answered; browsers send none, and each takes 4 KB
_BACKLOG = 4096  # connections that wait to be accepted, when many come at once
CLOSE_S = 5  # for connections that do not end by themselves once the streams have


@contextmanager
def drain_on_signal(drain: Callable[[], Awaitable[None]], hurry: Callable[[], None]) -> Iterator[None]:
    """While the block lasts, drain before the server hears of a signal; a second signal hurries the drain."""
    if threading.current_thread() is not threading.main_thread():
        yield  # a server in a thread hears no signals
        return
    loop = asyncio.get_running_loop()
    server = {number: signal.getsignal(number) for number in _SIGNALS}
    tasks: set[asyncio.Task[None]] = set()

    def tell_server(number: int, frame: FrameType | None) -> None:
        handler = server[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    async def drain_then_tell(number: int, frame: FrameType | None) -> None:
        try:
            await drain()
        finally:
            tell_server(number, frame)

    def begin(number: int, frame: FrameType | None) -> None:
        tasks.add(loop.create_task(drain_then_tell(number, frame)))

    def on_signal(number: int, frame: FrameType | None) -> None:
        if tasks:
            loop.call_soon_threadsafe(hurry)
        else:
            loop.call_soon_threadsafe(begin, number, frame)

    for number in _SIGNALS:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in server.items():
            signal.signal(number, handler)


class HttpConnection(HttpToolsProtocol):
    """Gives each response its outlet, and bounds what a client sends beside bodies.

    httptools takes heads, trailers and chunk extensions of any length, and uvicorn keeps every trailer and every
    pipelined request (httptools 0.9, uvicorn 0.54).
    """

    _framing: int | None = None  # bytes since a head, a chunk's size or trailers began; None: within a body
    _began = 0  # counts those beginnings, so that only reads that lie within one are added up
    _head = 0  # bytes of the address, headers and trailers of this request
    _trailing = False  # what comes as headers now is trailers
    _too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin."""
        self._departures: list[Callable[[], None]] = []
        self._round = round_of(self.loop)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the responses that nobody reads any more."""
        super().connection_lost(exc)
        for tell in self._departures:
            tell()

    def data_received(self, data: bytes) -> None:
        """Parse what came. A read in which a head or trailers begin is not counted: it holds other things too."""
        began = self._began if self._framing is not None else None
        super().data_received(data)
        if self._framing is not None and self._began == began:
            self._framing += len(data)
            if self._framing > _HEAD_BYTES and not self.transport.is_closing():
                self._refuse_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._trailing = False
        self._begin_framing()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are counted and dropped."""
        if not self._trailing:
            super().on_header(name, value)
            return
        self._head += len(name) + len(value)
        if self._head > _HEAD_BYTES:
            self._too_large = True
            raise ValueError  # as below

    def on_headers_complete(self) -> None:
        """Hand a request over, unless its head is too large or too many requests are waiting before it."""
        self._framing = None
        self._head = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self._head > _HEAD_BYTES or len(self.pipeline) >= _PIPELINED:
            self._too_large = True
            raise ValueError  # the parser stops, and uvicorn tells the client by `send_400_response`
        self._trailing = True
        super().on_headers_complete()
        offer(
            self.scope["state"], Outlet(self.cycle, self._departures, self._round)
        )  # before the request's task has begun

    def on_chunk_header(self) -> None:
        """Expect a chunk's bytes, or after the last chunk trailers."""
        self._begin_framing()

    def on_chunk_complete(self) -> None:
        """Expect the size of the next chunk."""
        self._begin_framing()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, which the application bounds."""
        self._framing = None
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._framing = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell of a request that cannot be read."""
        if self._too_large:
            self._refuse_head()
        elif self._may_answer():
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _begin_framing(self) -> None:
        self._framing = 0
        self._began += 1

    def _refuse_head(self) -> None:
        if self._may_answer():
            self.transport.write(_HEAD_TOO_LARGE)
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether no other response is under way, and none has answered what is being read."""
        cycle = self.cycle
        if cycle is None:
            return True
        free = not cycle.response_started if self._trailing else cycle.response_complete
        return free and not self.pipeline


def configuration(settings: Settings, app: FastAPI | str) -> uvicorn.Config:
    """Configure uvicorn for the service."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HttpConnection,
        loop="asyncio",  # uvloop accepts one connection a loop turn, and a delta costs the same on both
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on the address a request comes from
        timeout_graceful_shutdown=CLOSE_S,
        timeout_keep_alive=ceil(settings.keep_alive),
        workers=settings.workers,
        backlog=_BACKLOG,
    )


def serve(settings: Settings, app: FastAPI) -> None:
    """Serve in this process until a signal ends it. `app.state.address` is where it can be reached."""
    config = configuration(settings, app)
    listening = bind(settings)
    app.state.address = _address(settings.host, listening.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listening])


def bind(settings: Settings) -> socket.socket:
    """Listen where the settings say.

    The accepted sockets inherit the option: asyncio sets it only on those it has made itself, and without it the first
    event waits some 40 ms for the acknowledgement of the status line (measured, 2026-11-24).

    Raises:
        OSError: with our sentence as `strerror`.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise port_error(error, settings.host, settings.port, "ARTESIAN_PORT") from error
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.set_inheritable(True)
    return listening


def port_error(error: OSError, host: str, port: int, variable: str) -> OSError:
    """Return an error that says why the service cannot listen on an address, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return OSError(
            error.errno,
            f"Port {port} on {host} is in use. Choose another: {variable}={port % 65535 + 1}",
        )
    reason = (error.strerror or str(error)).partition(" (while")[0]
    return OSError(error.errno, f"Cannot listen on {host} port {port} ({variable}): {reason}.")


def _address(host: str, port: int) -> str:
    """Where a browser on this machine reaches the service."""
    if host in {"0.0.0.0", "::"}:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_workers(settings: Settings, backend_url: str | None) -> None:
    """Serve in `WORKERS` processes that share one socket; a worker that dies is replaced."""
    config = configuration(settings, "service.main:app")
    listening = bind(settings)
    greet(settings, _address(settings.host, listening.getsockname()[1]), backend_url)
    Multiprocess(config, sockets=[listening]).run()


def greet(settings: Settings, url: str, backend_url: str | None) -> None:
    """Print the terminal's first lines: where the service is, and what to try."""
    workers = f" with {settings.workers} workers" if settings.workers > 1 else ""
    backend = f"the local Bedrock at {backend_url}" if settings.backend == "local" else "Amazon Bedrock"
    welcome = f"""
Artesian {__version__}{workers}, in front of {backend}

  Chat page   {url}/
  Interface   {url}/docs
  Try         curl -N '{url}/api/generate?prompt=Why+is+the+sky+blue%3F'

Ctrl-C stops it.
"""
    print(welcome, flush=True)  # noqa: T201 - this is what the terminal is for
