"""The log of a real process: one line a generation, the request id in each line, and no content."""

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
    """A service with log level debug."""
    database = f"sqlite+aiosqlite:///{tmp_path}/artesian.db"
    service = Replica(bedrock, f"sqlite:///{tmp_path}/streams.db", log_level="debug", database_url=database)
    with started(service):
        asyncio.run(service.ready())
        yield service


def lines(replica: Replica) -> list[Json]:
    """Return the complete lines so far."""
    return [json.loads(line) for line in replica.said.split("\n")[:-1] if line.startswith("{")]


async def ends(replica: Replica, number: int) -> list[Json]:
    """Wait for the last lines of `number` generations."""

    async def logged() -> list[Json] | None:
        found = [line for line in lines(replica) if line["event"].startswith("Generation ended")]
        return found if len(found) >= number else None

    found: list[Json] = await eventually(logged)
    return found


async def test_a_generation_logs_one_line_with_its_outcome(replica: Replica) -> None:
    async with http(replica.url) as client:
        sent = {"X-Request-Id": "my-own-id"}
        answer = await client.post("/api/generate", json={"prompt": SAID}, headers=sent)
    (line,) = await ends(replica, 1)

    answered = answer.json()
    assert line["event"] == "Generation ended: ok"
    assert (line["level"], line["logger"]) == ("info", "service.generations")
    assert line["request_id"] == "my-own-id" == answer.headers["x-request-id"]
    assert line["stream_id"] == answered["stream_id"]
    assert (line["key_id"], line["surface"], line["outcome"]) == ("anonymous", "native", "ok")
    assert line["model_id"] == line["answered_by"] == CLAUDE
    assert line["stop_reason"] == answered["stop_reason"]
    assert line["input_tokens"] == answered["usage"]["input_tokens"]
    assert line["output_tokens"] == answered["usage"]["output_tokens"]
    for name in ("latency", "time_to_first_token", "gateway_time", "attempts"):
        assert line[name] == answered["metrics"][name]
    assert line["aws_request_id"]
    assert "trace_id" not in line


async def test_every_line_of_a_request_has_its_id(replica: Replica) -> None:
    async with http(replica.url) as client:
        sent = {"X-Request-Id": "one-of-many", **fault_header("throttle,cut@2")}
        async with client.stream("POST", "/api/generate/stream", json={"prompt": SAID}, headers=sent) as response:
            await response.aread()
    (line,) = await ends(replica, 1)

    answered = [each for each in lines(replica) if each.get("stream_id") == line["stream_id"]]
    assert {each["event"] for each in answered} >= {
        "An attempt failed: throttled",
        "An attempt failed: upstream_truncated",
    }
    assert {each["request_id"] for each in answered} == {"one-of-many"}
    assert (line["attempts"], line["outcome"]) == (3, "ok")


async def test_failures_and_cancellations_have_their_outcome(replica: Replica) -> None:
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
async def test_no_content_is_logged_at_any_level(bedrock: Bedrock, tmp_path: Path, log_format: str) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/artesian.db"
    replica = Replica(
        bedrock, f"sqlite:///{tmp_path}/streams.db", log_level="debug", log_format=log_format, database_url=database
    )
    with started(replica):
        await replica.ready()
        await send_secrets(replica)
        os.kill(replica.pid, signal.SIGTERM)
        await replica.ended()
        output = replica.said
    assert output.count("Generation ended") >= 8
    for word in SECRETS:
        assert word not in output
    assert "Traceback" not in output


async def send_secrets(replica: Replica) -> None:
    """Send secret words in every kind of request, some of them invalid."""
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


async def test_uvicorns_warnings_are_logged_in_the_same_form(replica: Replica) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    writer.write(b"xylophone\r\n\r\n")
    await reader.read()
    writer.close()

    async def complained() -> Json | None:
        return next((line for line in lines(replica) if line.get("logger") == "uvicorn.error"), None)

    line: Json = await eventually(complained)
    assert line["level"] == "warning"
    assert "xylophone" not in replica.said
