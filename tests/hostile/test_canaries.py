"""Words are planted wherever a request can carry one, and looked for wherever none may stand.

A real process, with all that it can be told to log, answers on every surface: well, badly, not at all. Afterwards
everything it has written, counted, traced and said in a refusal is searched.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.access.holders import add_key
from tests.harness import Json
from tests.hostile.canaries import ASKS, CANARIES, SAY, found_in, native, word
from tests.project.running import read_welcome
from tests.telemetry.collector import Collector, collecting

ROOT = Path(__file__).parents[2]
ALICE = "123456789012"

FAULTS = (
    "throttle*",
    f"http=ValidationException+message=arn:aws:bedrock:us-east-1:{ALICE}:x",
    f"http=AccessDeniedException+message=arn:aws:iam::{ALICE}:user/x",
    f"http=InternalServerException+message={word('bedrock')}*",
    f"http=ModelErrorException+message={word('bedrock')}*",
    "eol",
    "html*",
    "json*",
    "empty*",
    "cut@2*",
    "crc@1*",
    "garbage-json@1*",
    "reset@1*",
    f"exception=modelStreamErrorException@1+message={word('bedrock')}*",
    f"exception=validationException@0+message=arn:aws:iam::{ALICE}:x",
    "unknown-event@1",
    "stall@1*",
    "no-stop*",
)

WRONG: dict[str, list[Json]] = {
    "/api/generate": [
        {"prompt": [word("wrongvalue")]},
        {"prompt": "Hi", "temperature": word("wrongvalue")},
        {"prompt": "Hi", word("wrongfield"): word("wrongvalue")},
        {"prompt": "Hi", "model_id": word("model")},
        {"prompt": "Hi", "api": word("wrongvalue")},
        {"prompt": "Hi", "metadata": {"a": [word("wrongvalue")]}},
        {"prompt": "Hi", "tools": [{"name": f"{word('wrongvalue')} x", "input_schema": {}}]},
        {"prompt": "Hi", "tool_choice": {"name": word("wrongvalue").replace("-", "_")}},
        {"prompt": "Hi", "extra": {"nonsense": word("extra")}},
        {"prompt": "Hi", "guardrail": {"id": "x", "version": word("wrongvalue")}},
        {"messages": [{"role": word("wrongvalue"), "content": word("prompt")}]},
        {"messages": [{"role": "user", "content": [{"type": word("wrongvalue")}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "media_type": "image/png", "data": "YQ=="}]}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "media_type": "x/y", "data": "YQ=="}]}]},
    ],
    "/v1/chat/completions": [
        {"messages": word("wrongvalue")},
        {"messages": [{"role": word("wrongvalue"), "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": word("wrongvalue")}]}]},
        {"messages": [{"role": "user", "content": "Hi"}], "model": word("model")},
        {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": word("wrongvalue")}]},
        {"messages": [{"role": "user", "content": "Hi"}], "tool_choice": word("wrongvalue")},
        {"messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": word("wrongvalue")},
        {"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": word("wrongvalue")}},
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": f"http://{word('wrongvalue')}/"}]}
            ]
        },
    ],
    "/v1/responses": [
        {"input": [{"type": word("wrongvalue")}]},
        {"input": "Hi", "model": word("model")},
        {"input": "Hi", "previous_response_id": word("wrongvalue")},
        {"input": [{"type": "item_reference", "id": word("wrongvalue")}]},
        {"input": "Hi", "temperature": word("wrongvalue")},
    ],
    "/v1/messages": [
        {"messages": [{"role": word("wrongvalue"), "content": "x"}], "max_tokens": 5},
        {"messages": [{"role": "user", "content": [{"type": word("wrongvalue")}]}], "max_tokens": 5},
        {"messages": [{"role": "user", "content": "x"}], "max_tokens": word("wrongvalue")},
        {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "model": word("model")},
        {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "thinking": {"type": word("wrongvalue")}},
        {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "tools": [{"type": word("wrongvalue")}]},
    ],
}


class Told(NamedTuple):
    """An answer that failed, as far as its client was told."""

    what: str
    text: str


class Caller:
    """Asks everything there is to ask, and keeps what it was refused with."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.refusals: list[Told] = []
        self.answered: set[str] = set()

    async def ask(self, method: str, path: str, what: str = "", **more: Any) -> httpx.Response:
        """Ask, and note a failure: an HTTP error whole, and of a stream its last event."""
        try:
            answer = await self.http.request(method, path, **more)
        except httpx.RemoteProtocolError:  # cut off: nothing was said
            return httpx.Response(599)
        named = f"{method} {path.partition('?')[0]} {what}"
        if answer.is_error:
            told = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
            self.refusals.append(Told(named, f"{answer.text} {told}"))
        else:
            self.answered.add(path)
            self.refusals += [Told(named, failure) for failure in failures(answer.text)]
        return answer

    async def everything(self) -> None:
        """Succeed, fail in each way, and be wrong, on every surface."""
        await asyncio.gather(*(self.surface(path, body) for path, body in ASKS.items()))
        await self.ask("POST", "/v1/messages/count_tokens", json=ASKS["/v1/messages"]())
        await self.addresses()
        await self.conversations()
        await self.strangers()
        for path in ("/api/crash", "/api/crash/later", "/v1/messages/crash"):
            await self.ask("POST", path, json={"prompt": word("bug")})

    async def surface(self, path: str, body: Callable[..., Json]) -> None:
        """Succeed, fail in each way, and be wrong, on one surface."""
        for stream in (False, True):
            key = f"{word('idempotency')}-{path.replace('/', '-')}-{stream}"
            await self.ask("POST", path, json=body(stream=stream), headers={"Idempotency-Key": key})
            await self.ask("POST", path, "another body", json=body(stream=not stream), headers={"Idempotency-Key": key})
            for fault in FAULTS:
                await self.ask("POST", path, fault, json=body(stream=stream), headers={"X-Artesian-Fault": fault})
        for wrong in WRONG[path]:
            await self.ask("POST", path, "a mistake", json=wrong)
        await self.ask("POST", path, "no JSON", content=word("wrongvalue"), headers=JSON)
        await self.ask("POST", path, "another kind", content=word("wrongvalue"))
        await self.leave(path, body(stream=True))

    async def leave(self, path: str, body: Json) -> None:
        """Go away in the middle, and cancel in the middle."""
        for cancelled in (False, True):
            held = {"X-Artesian-Fault": "gate@1", "X-On-Disconnect": "cancel"}
            async with self.http.stream("POST", path, json=body, headers=held) as answer:
                if cancelled:
                    await self.ask("DELETE", f"/api/streams/{answer.headers['x-stream-id']}?purge=true")

    async def addresses(self) -> None:
        """Say things in addresses."""
        query = {"prompt": SAY, "system": word("query")}
        await self.ask("GET", "/api/generate", params=query, headers={"Accept": "text/event-stream"})
        for wrong in (
            {"temperature": word("query")}, {word("wrongfield"): word("query")}, {"model_id": word("model")},
            {"ticket": word("ticket")},
        ):  # fmt: skip
            await self.ask("GET", "/api/generate", "a wrong query", params={"prompt": word("query")} | wrong)
        for path in (
            f"/{word('path')}", f"/v1/{word('path')}", f"/v1/models/{word('path')}", f"/v1/responses/{word('path')}",
            f"/api/streams/{word('path')}", f"/api/conversations/{word('path')}", f"/docs/assets/{word('path')}",
            f"/web/{word('path')}", f"/api/conversations?cursor={word('query')}", f"/api/streams?{word('query')}",
            f"/api/streams/{'0' * 31}1?after={word('query')}", f"/v1/models?limit={word('query')}",
        ):  # fmt: skip
            await self.ask("GET", path, headers={"Cookie": f"a={word('cookie')}"})
        await self.ask("GET", "/api/generate", headers={"Last-Event-ID": word("event")})

    async def conversations(self) -> None:
        """Keep things that were said."""
        made = (await self.ask("POST", "/api/conversations", json={"title": word("title"), "system": SAY})).json()
        place = f"/api/conversations/{made['id']}"
        for stream in (False, True):
            await self.ask("POST", f"{place}/messages", json={"content": SAY, "stream": stream})
        for fault in ("cut@1*", "http=InternalServerException*", "http=ValidationException"):
            await self.ask(
                "POST", f"{place}/messages", fault, json={"content": SAY}, headers={"X-Artesian-Fault": fault}
            )
        await self.ask("POST", f"{place}/messages", "a mistake", json={"content": [word("wrongvalue")]})
        await self.ask("PATCH", place, json={"title": [word("wrongvalue")]})
        await self.ask("PATCH", place, json={"title": word("title")})
        await self.ask("GET", place)
        await self.ask("DELETE", place)

    async def strangers(self) -> None:
        """Come without a key, or with one that is none."""
        for path in (*ASKS, "/api/conversations"):
            for headers in (
                {"Authorization": f"Bearer {word('key')}"}, {"x-api-key": word("key")}, {"Authorization": word("key")},
                {"Authorization": f"Basic {word('key')}"}, {"Authorization": ""},
            ):  # fmt: skip
                await self.ask("POST", path, "another key", json=native(), headers=headers)


MAY_STAND_IN = {"the log": {"model"}, "the traces": {"model"}}
"""Which model was asked for is what whoever runs the service has to know, unknown ones too."""

JSON = {"Content-Type": "application/json"}


def failures(events: str) -> Iterator[str]:
    """What the events of a stream say of its failure; Responses repeats a request beside it, to whom it belongs."""
    for line in events.splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            if error := event.get("error") or (event.get("response") or {}).get("error"):
                yield json.dumps(error)


class Process(NamedTuple):
    """A running service, the file that it writes to, and a key to it."""

    url: str
    said: Path
    key: str
    process: "subprocess.Popen[str]"

    def end(self) -> str:
        """Stop it, and return all that it has written."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=20)
        return self.said.read_text() + rest


@contextmanager
def crashing(collector: Collector, log_format: str, journal: bool) -> Iterator[Process]:  # noqa: FBT001 - a parameter of the tests
    """Start the service with a bug in it."""
    with tempfile.TemporaryDirectory() as folder:
        keys, said = Path(folder) / "keys.json", Path(folder) / "said"
        key = add_key(keys, "alice")
        told = {
            "ARTESIAN_PORT": "0",
            "ARTESIAN_LOG_LEVEL": "debug",
            "ARTESIAN_LOG_FORMAT": log_format,
            "ARTESIAN_LOCAL_FAULTS": "true",
            "ARTESIAN_LOCAL_RATE": "0",
            "ARTESIAN_MAX_RETRIES": "1",
            "ARTESIAN_RETRY_BUDGET": "1",
            "ARTESIAN_IDLE_TIMEOUT": "0.2",
            "ARTESIAN_API_KEYS_FILE": str(keys),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "PYTHONASYNCIODEBUG": "",
        }
        if journal:
            told["ARTESIAN_JOURNAL_URL"] = f"sqlite:///{folder}/streams.db"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARTESIAN_", "AWS_"))}
        with said.open("w") as writes:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.crashing"],
                cwd=folder,
                env=clean | told | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=writes,
                text=True,
            )
        try:
            welcome = read_welcome(process)
            url = next(part for part in welcome.split("Chat page")[1].split() if part.startswith("http"))
            yield Process(url.rstrip("/"), said, key, process)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """Where traces go."""
    async with collecting() as receiving:
        yield receiving


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("log_format", "journal"), [("json", False), ("console", True)])
async def test_nothing_that_was_said_stands_where_it_must_not(
    collector: Collector,
    log_format: str,
    journal: bool,  # noqa: FBT001 - a parameter
) -> None:
    with crashing(collector, log_format, journal) as service:
        headers = {"Authorization": f"Bearer {service.key}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=10, trust_env=False) as http:
            caller = Caller(http)
            await caller.everything()
            metrics = await http.get("/metrics")
            ready = await http.get("/readyz")
        said = await asyncio.to_thread(service.end)

    assert set(ASKS) <= caller.answered
    assert len(caller.refusals) > 150
    leaks = {told.what: (found_in(told.text), told.text[:300]) for told in caller.refusals if found_in(told.text)}
    assert {what: leak for what, leak in leaks.items() if leak[0] != ["wrongfield"]} == {}
    assert [told for told in caller.refusals if ALICE in told.text] == []
    assert [told.what for told in caller.refusals if "Traceback" in told.text or "/service/" in told.text] == []
    assert said.count("Unhandled error") >= 2
    assert "Traceback" in said
    places = {"the log": said, "the metrics": metrics.text, "readiness": ready.text, "the traces": _text(collector)}
    leaked = {place: set(found_in(text)) - MAY_STAND_IN.get(place, set()) for place, text in places.items()}
    assert {place: found for place, found in leaked.items() if found} == {}
    assert [place for place, text in places.items() if service.key in text or ALICE in text] == []


def _text(collector: Collector) -> str:
    assert collector.bodies
    return collector.bodies.decode(errors="replace")


def test_the_words_are_found_where_they_stand() -> None:
    assert found_in(json.dumps(native())) != []
    assert set(found_in(" ".join(CANARIES.values()))) == set(CANARIES)
