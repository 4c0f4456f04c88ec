"""The calls of the service's interface: which method, address, body and headers each has. No I/O."""

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
_EVENTS = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}  # packed, events would be held back


class Parameters(TypedDict, total=False):
    """What may accompany a prompt (docs/reference.md, "The native API"). None is the same as leaving it out."""

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
    """Leave out what is None."""
    return {name: value for name, value in members.items() if value is not None}


def generating(prompt: str | None, messages: Sequence[Json] | None, parameters: Mapping[str, Any]) -> Call:
    """Ask for a stream. A key of its own lets the call be repeated: it then attaches to the stream that it began."""
    body = given({"prompt": prompt, "messages": messages, **parameters})
    return Call("POST", "/api/generate/stream", body, headers=_EVENTS | _own_key())


def generating_text(model_id: str | None, prompt: str, temperature: float | None, max_tokens: int) -> Call:
    """Ask in the tutorial's words. Whoever gets mere texts cannot be told to clear what it has shown."""
    asked = {"model_id": model_id, "temperature": temperature, "max_tokens": max_tokens}
    return generating(prompt, None, {**asked, "on_interruption": "continue"})


def sending(conversation_id: str, content: str | Sequence[Json] | None, parameters: Mapping[str, Any]) -> Call:
    """Say something in a conversation, and ask for the reply as a stream."""
    body = given({"content": content, **parameters, "stream": True})
    return Call("POST", f"{conversation(conversation_id)}/messages", body, headers=_EVENTS | _own_key())


def following(stream_id: str, after: int) -> Call:
    """Go on with a stream after event number `after`."""
    return Call("GET", stream(stream_id), headers={**_EVENTS, "Last-Event-ID": f"{stream_id}-{after}"})


def state(stream_id: str) -> Call:
    """Ask for a stream as it stands."""
    return Call("GET", stream(stream_id), headers={"Accept": "application/json"})


def cancelling(stream_id: str, timeout_s: float | None = None) -> Call:
    """Cancel a generation."""
    return Call("DELETE", stream(stream_id), timeout_s=timeout_s)


def stream(stream_id: str) -> str:
    """A stream's path."""
    return f"/api/streams/{quote(stream_id, safe='')}"


def conversation(conversation_id: str) -> str:
    """A conversation's path."""
    return f"/api/conversations/{quote(conversation_id, safe='')}"


def _own_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_urlsafe(24)}


class Service(NamedTuple):
    """The service that calls go to. `timeout_s`: silence after which a connection is taken for dead."""

    url: str
    api_key: str | None
    headers: Mapping[str, str]
    timeout_s: float

    def client_options(self) -> dict[str, Any]:
        """How our own httpx client is made."""
        secure = self.url.startswith("https:")  # without it no certificates are read: they take longer than all else
        return {"limits": httpx.Limits(max_connections=None), "trust_env": not is_loopback(self.url), "verify": secure}

    def request(self, call: Call) -> dict[str, Any]:
        """Put a call in httpx's words."""
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
        """Say why a call came to nothing."""
        if never_sent(error):
            return Unreachable(f"No Artesian service can be reached at {self.url}: {_reason(error)}", retryable=True)
        return ConnectionLost(f"The connection to {self.url} broke: {_reason(error)}", retryable=True)


def never_sent(error: httpx.RequestError) -> bool:
    """Whether a call failed before anything of it was sent."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _reason(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time."
    said = _ERRNO.sub("", str(error)).rstrip(".")
    return f"{said or type(error).__name__}."


def read_answer(response: httpx.Response) -> Any:
    """Read a response that is read to its end.

    Raises:
        ArtesianError: it is an error, or none of Artesian's.
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
