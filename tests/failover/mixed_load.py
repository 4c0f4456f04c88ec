"""Clients of every kind, which call replicas at random until they are stopped and remember what was acknowledged."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx

from tests.failover.processes import http
from tests.failover.reader import Reader, Refused, question
from tests.harness import CLAUDE, Json, text_of
from tests.waiting import PATIENCE_S, eventually

FAULTS = ("ok", "ok", "throttle*1", "cut@5*1", "reset@3*1", "stall@4*1", "rate=400")
TERMINAL = {"done", "failed", "cancelled"}
EXPECTED = {
    *("overloaded", "draining", "interrupted"),  # while processes and databases fail
    "conflict",  # while the claim of a killed process lasts: for its lease
    *("throttled", "upstream_truncated", "upstream_stalled", "upstream_unavailable"),  # when the retry budget is spent
    *("rate_limit", "timeout", "api"),  # the same in Messages
}


class Load:
    """A number of clients. `unexpected` names each answer that no fault of the test explains."""

    def __init__(self, urls: list[str], chance: random.Random) -> None:
        self.urls = urls
        self.unexpected: list[str] = []
        self.answers: Counter[str] = Counter()
        self.responses: dict[str, int] = {}  # id of a stored response → hash of its text
        self.messages: dict[str, list[int]] = {}  # id of a conversation → hashes of its answers
        self._chance = chance
        self._stopped = asyncio.Event()
        self._kinds = [
            self._stream, self._stream, self._whole, self._converse, self._respond, self._compatible, self._leave,
        ]  # fmt: skip

    async def run(self, clients: int) -> None:
        """Run so many clients until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(clients):
                tasks.create_task(self._client())

    def stop(self) -> None:
        """Let each client finish what it does."""
        self._stopped.set()

    async def _client(self) -> None:
        while not self._stopped.is_set():
            kind = self._chance.choice(self._kinds)
            try:
                await kind()
            except (httpx.TransportError, TimeoutError):
                self.answers["connection lost"] += 1
            except Refused as refused:
                self._note(refused.code, str(refused))

    def _note(self, code: str, answer: str) -> None:
        self.answers[code] += 1
        if code not in EXPECTED:
            self.unexpected.append(answer)

    async def _call(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json | None:
        """Call a replica; the body of a success, or None where a fault of the test explains the refusal."""
        async with http(self._chance.choice(self.urls)) as service:
            service.timeout = httpx.Timeout(PATIENCE_S)
            response = await service.request(method, path, json=body, headers={"X-Artesian-Fault": "ok"} | headers)
        answer: Json = response.json() if response.content else {}
        if response.is_success:
            self.answers["success"] += 1
            return answer
        problem = error if isinstance(error := answer.get("error"), dict) else answer
        self._note(problem.get("code") or problem["type"].removesuffix("_error"), f"{method} {path}: {response.text}")
        return None

    def _fault(self) -> dict[str, str]:
        return {"X-Artesian-Fault": self._chance.choice(FAULTS)}

    async def _stream(self) -> None:
        """Read a stream to its end on one replica, and its state on another: it has ended, once."""
        reader = Reader(self._chance.choice(self.urls), body=question(on_disconnect="detach"), headers=self._fault())
        end = await reader.run()
        if "error" in end:
            self._note(end["code"], f"{reader.stream_id}: {end}")
        else:
            self.answers["success"] += 1
        await self._has_ended(reader.stream_id)

    async def _has_ended(self, stream_id: str) -> None:
        async def ended() -> bool:
            with suppress(httpx.TransportError):
                async with http(self._chance.choice(self.urls)) as service:
                    state = await service.get(f"/api/streams/{stream_id}", headers={"Accept": "application/json"})
                return state.status_code == httpx.codes.GONE or state.json().get("state") in TERMINAL
            return False

        await eventually(ended, every_s=0.1)

    async def _whole(self) -> None:
        await self._call("POST", "/api/generate", question(), **self._fault())

    async def _converse(self) -> None:
        """Hold a conversation of a few messages, each answer streamed to its end."""
        made = await self._call("POST", "/api/conversations", {})
        for _ in range(self._chance.randrange(1, 4) if made else 0):
            assert made
            body = {"content": "Why do wells flow?", "stream": True, "on_disconnect": "detach", "max_tokens": 200}
            reader = Conversing(self._chance.choice(self.urls), made["id"], body, self._fault())
            end = await reader.run()
            if "error" in end:
                return self._note(end["code"], f"{reader.stream_id}: {end}")
            self.messages.setdefault(made["id"], []).append(hash(text_of(reader.events)))
            self.answers["success"] += 1
        return None

    async def _respond(self) -> None:
        """Make a chain of stored responses."""
        previous: Json = {}
        for _ in range(self._chance.randrange(1, 4)):
            body = {"model": CLAUDE, "input": "Why do wells flow?", "max_output_tokens": 200} | previous
            if (made := await self._call("POST", "/v1/responses", body, **self._fault())) is None:
                return
            self.responses[made["id"]] = hash(output_text(made))
            previous = {"previous_response_id": made["id"]}

    async def _compatible(self) -> None:
        """Call Chat Completions or Messages."""
        body: Json = {"model": CLAUDE, "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 100}
        path = self._chance.choice(("/v1/chat/completions", "/v1/messages"))
        await self._call("POST", path, body, **self._fault())

    async def _leave(self) -> None:
        """Disconnect from a generation that ends with its client, or cancel one."""
        cancelled = self._chance.random() < 0.5
        body = question(on_disconnect="detach" if cancelled else "cancel")
        reader = Reader(self._chance.choice(self.urls), body=body)
        async with reader.connected() as chunks:
            await reader.take(chunks, until=2)
        if cancelled:
            await self._call("DELETE", f"/api/streams/{reader.stream_id}")
        await self._has_ended(reader.stream_id)


class Conversing(Reader):
    """A reader of one answer in a conversation."""

    def __init__(self, to: str, conversation: str, body: Json, headers: dict[str, str]) -> None:
        super().__init__(to, body=body, headers=headers | {"Idempotency-Key": uuid4().hex})
        self._conversation = conversation

    def _request(self) -> Json:
        request = super()._request()
        if request["method"] == "POST":
            request["url"] = f"/api/conversations/{self._conversation}/messages"
        return request


def output_text(response: Any) -> str:
    """Join the text of a response of the Responses API."""
    messages = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for message in messages for part in message["content"])
