"""The service leaves: SIGTERM, as a scheduler sends it, with a stream that is still running."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx

from tests.harness import Event, Json, client, events_of, fault_header
from tests.project.running import Running, running
from tests.waiting import eventually

ENDED = {0, -signal.SIGTERM}  # uvicorn hands the signal on when it has finished


@contextmanager
def started(drain_timeout: str) -> Iterator[Running]:
    with running(local_faults="true", local_rate="0", drain_timeout=drain_timeout) as process:
        yield process


@asynccontextmanager
async def held_stream(http: httpx.AsyncClient) -> AsyncIterator[tuple[AsyncIterator[Event], str]]:
    """Open a stream that waits after two deltas; the value is its events and the address of its Bedrock."""
    bedrock = (await http.get("/readyz")).json()["backend"]["url"]
    body, headers = {"prompt": "Hello"}, fault_header("gate@2")
    async with http.stream("POST", "/api/generate/stream", json=body, headers=headers) as response:
        events = events_of(response)
        assert (await anext(events)).name == "start"
        yield events, bedrock


async def test_a_running_stream_goes_on_while_no_other_is_begun() -> None:
    with started("60") as process:
        async with client(process.url) as http, held_stream(http) as (events, bedrock):
            process.process.send_signal(signal.SIGTERM)
            ready = await eventually(lambda: draining(http))
            refused = await http.post("/api/generate", json={"prompt": "Hi"})
            alive = await http.get("/healthz")
            await http.post(f"{bedrock}/_local/release")
            rest = [event async for event in events]
        _, said = process.process.communicate(timeout=20)

    assert ready["status"] != "ready"
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert refused.json()["retryable"] is True
    assert int(refused.headers["retry-after"]) >= 1
    assert alive.status_code == 200
    assert rest[-1].data["stop_reason"] == "end_turn"
    assert process.process.returncode in ENDED
    assert "Traceback" not in said


async def test_what_still_runs_when_its_time_is_over_ends_with_a_word() -> None:
    with started("0.3") as process:
        async with client(process.url) as http, held_stream(http) as (events, _):
            process.process.send_signal(signal.SIGTERM)
            rest = [event async for event in events]
        _, said = process.process.communicate(timeout=20)

    assert rest[-1].data["code"] == "draining"
    assert rest[-1].data["status"] == 503
    assert rest[-1].data["retryable"] is True
    assert rest[-1].data["partial"] is True
    assert process.process.returncode in ENDED
    assert "Traceback" not in said


async def test_a_second_signal_ends_the_waiting() -> None:
    with started("60") as process:
        async with client(process.url) as http, held_stream(http) as (events, _):
            process.process.send_signal(signal.SIGTERM)
            await eventually(lambda: draining(http))
            process.process.send_signal(signal.SIGTERM)
            rest = [event async for event in events]
        _, said = process.process.communicate(timeout=20)

    assert rest[-1].data["code"] == "draining"
    assert "Traceback" not in said


async def draining(http: httpx.AsyncClient) -> Json | None:
    response = await http.get("/readyz")
    ready: Json = response.json()
    assert response.status_code == (503 if ready["draining"] else 200)
    return ready if ready["draining"] else None
