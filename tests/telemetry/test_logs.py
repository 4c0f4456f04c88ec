"""What a real process logs: one line a generation, the request's id on each line, and no word of what was said."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dialect_parity import asks
from tests.failover.processes import Bedrock, Replica, http, started
from tests.harness import CLAUDE, Json, fault_header
from tests.waiting import eventually

SECRETS = ("xylophone", "marimba", "vibraphone", "glockenspiel")
SAID = "Please reply with: 'xylophone'"


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Bedrock]:
    process = Bedrock()
    with started(process):
        asyncio.run(process.ready())
        yield process


@pytest.fixture
def replica(bedrock: Bedrock, tmp_path: Path) -> Iterator[Replica]:
    """A service that says all it can."""
    database = f"sqlite+aiosqlite:///{tmp_path}/artesian.db"
    service = Replica(bedrock, f"sqlite:///{tmp_path}/streams.db", log_level="debug", database_url=database)
    with started(service):
        asyncio.run(service.ready())
        yield service


def lines(replica: Replica) -> list[Json]:
    """The lines so far that are complete."""
    return [json.loads(line) for line in replica.said.split("\n")[:-1] if line.startswith("{")]


async def ends(replica: Replica, number: int) -> list[Json]:
    """Wait for the lines of so many ends."""

    async def said() -> list[Json] | None:
        found = [line for line in lines(replica) if line["event"].startswith("Generation ended")]
        return found if len(found) >= number else None

    found: list[Json] = await eventually(said)
    return found


async def test_a_generation_leaves_one_line_that_says_what_it_came_to(replica: Replica) -> None:
    async with http(replica.url) as client:
        sent = {"X-Request-Id": "my-own-id"}
        answer = await client.post("/api/generate", json={"prompt": SAID}, headers=sent)
    (line,) = await ends(replica, 1)

    told = answer.json()
    assert line["event"] == "Generation ended: ok"
    assert (line["level"], line["logger"]) == ("info", "service.generations")
    assert line["request_id"] == "my-own-id" == answer.headers["x-request-id"]
    assert line["stream_id"] == told["stream_id"]
    assert (line["key_id"], line["surface"], line["outcome"]) == ("anonymous", "native", "ok")
    assert line["model_id"] == line["answered_by"] == CLAUDE
    assert line["stop_reason"] == told["stop_reason"]
    assert line["input_tokens"] == told["usage"]["input_tokens"]
    assert line["output_tokens"] == told["usage"]["output_tokens"]
    for name in ("latency", "time_to_first_token", "gateway_time", "attempts"):
        assert line[name] == told["metrics"][name]
    assert line["aws_request_id"]
    assert "trace_id" not in line


async def test_every_line_of_a_request_carries_its_id(replica: Replica) -> None:
    async with http(replica.url) as client:
        sent = {"X-Request-Id": "one-of-many", **fault_header("throttle,cut@2")}
        async with client.stream("POST", "/api/generate/stream", json={"prompt": SAID}, headers=sent) as response:
            await response.aread()
    (line,) = await ends(replica, 1)

    told = [each for each in lines(replica) if each.get("stream_id") == line["stream_id"]]
    assert {each["event"] for each in told} >= {"An attempt failed: throttled", "An attempt failed: upstream_truncated"}
    assert {each["request_id"] for each in told} == {"one-of-many"}
    assert (line["attempts"], line["outcome"]) == (3, "ok")


async def test_failures_and_cancellations_are_named_as_such(replica: Replica) -> None:
    async with http(replica.url) as client:
        for fault in ("cut@3*", "http=AccessDeniedException"):
            question = {"prompt": SAID, "on_interruption": "fail"}
            await client.post("/api/generate", json=question, headers=fault_header(fault))
        async with client.stream(
            "POST", "/api/generate/stream", json={"prompt": SAID}, headers=fault_header("gate")
        ) as response:
            await client.delete(f"/api/streams/{response.headers['x-stream-id']}")
    found = await ends(replica, 3)

    assert [line["outcome"] for line in found] == ["upstream_truncated", "access_denied", "cancelled"]
    assert [line.get("partial") for line in found] == [True, False, None]


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_no_word_of_what_was_said_is_logged_at_any_level(
    bedrock: Bedrock, tmp_path: Path, log_format: str
) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/artesian.db"
    replica = Replica(
        bedrock, f"sqlite:///{tmp_path}/streams.db", log_level="debug", log_format=log_format, database_url=database
    )
    with started(replica):
        await replica.ready()
        await say_much(replica)
        os.kill(replica.pid, signal.SIGTERM)
        await replica.ended()
        said = replica.said
    assert said.count("Generation ended") >= 8
    for word in SECRETS:
        assert word not in said
    assert "Traceback" not in said


async def say_much(replica: Replica) -> None:
    """Say secret words in every way there is, some of them wrong."""
    ways: tuple[tuple[str, Json], ...] = (
        ("/api/generate", {"prompt": SAID, "system": "You are a marimba.", "stop_sequences": ["vibraphone"]}),
        ("/api/generate/stream", {"prompt": SAID}),
        ("/v1/chat/completions", asks.chat(SAID)),
        ("/v1/responses", asks.responses(SAID)),
        ("/v1/messages", asks.messages(SAID, stream=True)),
        ("/api/generate", {"prompt": 1, "glockenspiel": SAID}),
        ("/v1/messages", {"model": CLAUDE, "messages": SAID}),
    )
    async with http(replica.url) as client:
        for path, body in ways:
            await client.post(path, json=body)
        for fault in ("cut@3", "crc@2*", "garbage-json", "http=ValidationException"):
            await client.post("/api/generate", json={"prompt": SAID}, headers=fault_header(fault))
        await client.get("/api/generate", params={"prompt": SAID, "glockenspiel": "yes"})
        await client.get("/api/generate", params={"prompt": SAID})
        began = await client.post("/api/conversations", json={"title": "xylophone", "system": "marimba"})
        assert began.status_code == 201, began.text
        to = f"/api/conversations/{began.json()['id']}/messages"
        assert (await client.post(to, json={"content": SAID})).status_code == 200


async def test_what_uvicorn_complains_of_goes_the_same_way(replica: Replica) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    writer.write(b"xylophone\r\n\r\n")
    await reader.read()
    writer.close()

    async def complained() -> Json | None:
        return next((line for line in lines(replica) if line.get("logger") == "uvicorn.error"), None)

    line: Json = await eventually(complained)
    assert line["level"] == "warning"
    assert "xylophone" not in replica.said
