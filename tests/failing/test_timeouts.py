"""How long is waited: for a connection, the first piece, between two frames, and in all."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.harness import Service, running
from tests.native.gates import call_of


@pytest.mark.parametrize("fault", ["stall@headers", "stall", "stall@open", "gate@open"])
async def test_silence_before_the_first_piece_of_the_answer_ends_it(fault: str) -> None:
    """A messageStart is no piece of the answer."""
    async with running(first_event_timeout=0.2, idle_timeout=60) as service:
        response = await ask(service, fault)

        assert response.json()["code"] == "upstream_stalled"
        assert response.status_code == 504
        assert (await call_of(service, state="closed"))["client_left"] is True


async def test_silence_before_the_first_piece_is_an_event_once_the_stream_has_begun() -> None:
    async with running(first_event_timeout=0.2, commit_after=0) as service:
        events = await service.stream(fault="stall@open")

    assert [event.name for event in events] == ["start", "message"]
    assert events[-1].data["code"] == "upstream_stalled"
    assert events[-1].data["partial"] is False


async def test_silence_between_two_frames_ends_it() -> None:
    async with running(first_event_timeout=60, idle_timeout=0.2) as service:
        events = await service.stream(fault="stall@2", on_interruption="fail")

        assert events[-1].data["code"] == "upstream_stalled"
        assert events[-1].data["partial"] is True
        assert (await call_of(service, state="closed"))["client_left"] is True


async def test_silence_between_two_frames_can_be_gone_on_from() -> None:
    async with running(idle_timeout=0.2) as service:
        events = await service.stream(fault="stall@2")

    assert events[-1].data["stop_reason"] == "end_turn"
    assert events[-1].data["metrics"]["attempts"] == 2


async def test_a_model_may_think_for_longer_before_its_first_piece_than_between_two() -> None:
    async with running(first_event_timeout=5, idle_timeout=0.2) as service:
        events = await service.stream(fault="slow-first=0.6")

    assert events[-1].data["stop_reason"] == "end_turn"
    assert events[-1].data["metrics"]["attempts"] == 1


async def test_a_slow_stream_is_no_silent_one() -> None:
    async with running(idle_timeout=0.5) as service:
        events = await service.stream(fault="rate=25", max_tokens=25, prompt="Why does it rain?")

    assert events[-1].data["metrics"]["latency"] > 0.5
    assert events[-1].data["metrics"]["attempts"] == 1


@pytest.mark.parametrize(
    "fault", ["gate", "gate@open", "throttle+retry-after=1", "exception=throttlingException*2,gate"]
)
async def test_the_whole_generation_has_a_deadline(fault: str) -> None:
    async with running(request_timeout=0.4) as service:
        response = await ask(service, fault)

    if fault.endswith("after=1"):  # the wait alone would pass the deadline
        assert response.json()["code"] == "throttled"
    else:
        assert response.json()["code"] == "deadline_exceeded"
        assert response.json()["retryable"] is False
        assert response.status_code == 504


async def test_the_deadline_of_a_stream_is_its_last_event() -> None:
    async with running(request_timeout=0.4) as service:
        events = await service.stream(fault="gate@2")

        assert events[-1].data["code"] == "deadline_exceeded"
        assert events[-1].data["partial"] is True
        assert (await call_of(service, state="closed"))["client_left"] is True


async def test_a_steady_stream_ends_at_its_deadline_all_the_same() -> None:
    async with running(request_timeout=0.4) as service:
        events = await service.stream(prompt="Write 2000 words.", fault="rate=50")

    assert events[-1].data["code"] == "deadline_exceeded"
    assert len(events) > 4


async def test_a_connection_that_does_not_come_about_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_backlog() as address:
        response = await ask_aws(monkeypatch, address, connect_timeout=0.3)

    assert response.status_code == 503
    assert response.json()["code"] == "upstream_unavailable"


async def test_a_connection_that_is_refused_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        response = await ask_aws(monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}")

    assert response.status_code == 503
    assert response.json()["code"] == "upstream_unavailable"
    assert response.json()["retryable"] is True


async def test_many_streams_fall_silent_at_once_and_each_is_ended() -> None:
    async with running(idle_timeout=0.3) as service:
        streams = await asyncio.gather(
            *(service.stream(fault="stall@1", on_interruption="fail") for _ in range(30)), service.stream()
        )

    assert [stream[-1].data.get("code") for stream in streams] == ["upstream_stalled"] * 30 + [None]


async def ask(service: Service, fault: str | None) -> httpx.Response:
    headers = {"X-Artesian-Fault": fault} if fault else {}
    return await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)


async def ask_aws(monkeypatch: pytest.MonkeyPatch, address: str, **values: float) -> httpx.Response:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    aws = {"backend": "aws", "bedrock_endpoint_url": address, "region": "us-east-1", "max_retries": 0}
    async with running(**aws, **values) as service:
        return await ask(service, None)


@contextmanager
def full_backlog() -> Iterator[str]:
    """Listen without accepting: the kernel silently drops further connections."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _ in range(4):
            visitor = socket.socket()
            visitor.setblocking(False)
            visitor.connect_ex(listening.getsockname())
            waiting.append(visitor)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            for visitor in waiting:
                visitor.close()
