"""A server on a loopback socket that answers with fixed bytes, for other people's clients to read."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple

import pytest

SSE = "text/event-stream"
BLANK = b"\n\n"


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Served:
    """Each reply has an address of its own; `requests` are those that came to it."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._replies: dict[str, Reply] = {}
        self.requests: dict[str, list[dict[str, Any]]] = {}
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: dict[str, Any]) -> None:
                key = self.path.split("/")[1]
                served.requests[key].append(body)
                reply = served._replies[key]
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name is the base class's
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stream(self, body: bytes) -> str:
        """Serve a stream; give its address."""
        return self._put(Reply(200, {"Content-Type": SSE}, body))

    def json(self, body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> str:
        """Serve an answer in JSON; give its address."""
        return self._put(
            Reply(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(body).encode())
        )

    def asked(self, url: str) -> list[dict[str, Any]]:
        """Give the bodies of the requests that came to an address."""
        return self.requests[url.rsplit("/", 1)[1]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _put(self, reply: Reply) -> str:
        key = f"r{next(self._numbers)}"
        self._replies[key], self.requests[key] = reply, []
        return f"http://127.0.0.1:{self._server.server_address[1]}/{key}"


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.close()


def with_heartbeats(stream: bytes, heartbeat: bytes) -> bytes:
    """Put a heartbeat before each event of a stream, and after the last."""
    blocks = [block + BLANK for block in stream.split(BLANK) if block]
    return b"".join(heartbeat + block for block in blocks) + heartbeat


def without_nulls(value: Any) -> Any:
    """Leave out what is null: the SDKs' accumulators do not tell it from what is absent."""
    match value:
        case dict():
            return {name: without_nulls(member) for name, member in value.items() if member is not None}
        case list():
            return [without_nulls(member) for member in value]
    return value
