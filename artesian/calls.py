"""The requests of the service's API: method, path, body and headers of each. No I/O."""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict
from urllib.parse import quote

import httpx

from .address import is_loopback
from .errors import ArtesianError, ConnectionLost, Unreachable, from_response

Json = dict[str, Any]

CONNECT_S = 5.0
CANCEL_S = 5.0
"""How long leaving a stream may take."""

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_EVENTS = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}  # compression would delay events


class Parameters(TypedDict, total=False):
    """Parameters that may accompany a prompt (docs/reference.md, "The native API"). None: not sent."""

    model_id: str | None
    system: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    stop_sequences: Sequence[str] | None
    tools: Sequence[Json] | None
    tool_choice: str | Json | None
    reasoning: Json | None
    guardrail: Json | None
    api: Literal["auto", "converse", "invoke"] | None
    on_interruption: Literal["continue", "restart", "fail"] | None
    on_disconnect: Literal["cancel", "detach", "drain"] | None
    store: bool | None
    metadata: Mapping[str, str] | None
    extra: Json | None


class Call(NamedTuple):
    """One request, without the service's address and the key."""

    method: str
    path: str
    body: Json | None = None
    query: dict[str, str] | None = None
    headers: dict[str, str] | None = None
    timeout_s: float | None = None


def given(members: Mapping[str, Any]) -> Json:
    """Drop the members that are None."""
    return {name: value for name, value in members.items() if value is not None}


def generate(prompt: str | None, messages: Sequence[Json] | None, parameters: Mapping[str, Any]) -> Call:
    """Start a stream. Its idempotency key makes a repeated request attach to the stream that the first one started."""
    body = given({"prompt": prompt, "messages": messages, **parameters})
    return Call("POST", "/api/generate/stream", body, headers=_EVENTS | _own_key())


def generate_text(model_id: str | None, prompt: str, temperature: float | None, max_tokens: int) -> Call:
    """Start a stream for `generate_text`. Never restarted: a caller of it cannot clear printed text."""
    parameters = {"model_id": model_id, "temperature": temperature, "max_tokens": max_tokens}
    return generate(prompt, None, {**parameters, "on_interruption": "continue"})


def send_message(conversation_id: str, content: str | Sequence[Json] | None, parameters: Mapping[str, Any]) -> Call:
    """Send a message to a conversation, and stream the reply."""
    body = given({"content": content, **parameters, "stream": True})
    return Call("POST", f"{conversation(conversation_id)}/messages", body, headers=_EVENTS | _own_key())


def follow(stream_id: str, after: int) -> Call:
    """Resume a stream after event number `after`."""
    return Call("GET", stream(stream_id), headers={**_EVENTS, "Last-Event-ID": f"{stream_id}-{after}"})


def state(stream_id: str) -> Call:
    """Get a stream's current state."""
    return Call("GET", stream(stream_id), headers={"Accept": "application/json"})


def cancel(stream_id: str, timeout_s: float | None = None) -> Call:
    """Cancel a generation."""
    return Call("DELETE", stream(stream_id), timeout_s=timeout_s)


def stream(stream_id: str) -> str:
    """Return a stream's path."""
    return f"/api/streams/{quote(stream_id, safe='')}"


def conversation(conversation_id: str) -> str:
    """Return a conversation's path."""
    return f"/api/conversations/{quote(conversation_id, safe='')}"


def _own_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_urlsafe(24)}


class Service(NamedTuple):
    """The service to call. `timeout_s`: the inactivity timeout of a connection."""

    url: str
    api_key: str | None
    headers: Mapping[str, str]
    timeout_s: float

    def client_options(self) -> dict[str, Any]:
        """Return the options of the httpx client."""
        secure = self.url.startswith("https:")  # plain HTTP skips loading certificates, the slowest part of the start
        return {"limits": httpx.Limits(max_connections=None), "trust_env": not is_loopback(self.url), "verify": secure}

    def request(self, call: Call) -> dict[str, Any]:
        """Return the arguments of httpx for a call."""
        key = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return {
            "method": call.method,
            "url": self.url + call.path,
            "json": call.body,
            "params": call.query,
            "headers": {"User-Agent": "artesian-python", **key, **self.headers, **(call.headers or {})},
            "timeout": httpx.Timeout(call.timeout_s or self.timeout_s, connect=CONNECT_S),
        }

    def failure(self, error: httpx.RequestError) -> ArtesianError:
        """Convert a transport error."""
        if never_sent(error):
            return Unreachable(f"No Artesian service can be reached at {self.url}: {_reason(error)}", retryable=True)
        return ConnectionLost(f"The connection to {self.url} broke: {_reason(error)}", retryable=True)


def never_sent(error: httpx.RequestError) -> bool:
    """Whether a request failed before it was sent."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _reason(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it did not respond in time."
    message = _ERRNO.sub("", str(error)).rstrip(".")
    return f"{message or type(error).__name__}."


def read_answer(response: httpx.Response) -> Any:
    """Return the JSON of a response.

    Raises:
        ArtesianError: it is an error, or not a response of Artesian.
    """
    if response.status_code == httpx.codes.NO_CONTENT:
        return {}
    is_json = "json" in response.headers.get("content-type", "")
    if not (response.is_success and is_json):
        raise from_response(response.status_code, response.headers, response.content)
    return response.json()


def conversations(limit: int | None, cursor: str | None) -> Call:
    """List the conversations."""
    query = {name: str(value) for name, value in given({"limit": limit, "cursor": cursor}).items()}
    return Call("GET", "/api/conversations", query=query)
