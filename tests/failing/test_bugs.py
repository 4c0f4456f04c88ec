"""An internal error: the client receives the code and an id for the report, and no details."""

import logging
from typing import Any

import httpx
import pytest

from service.access.caller import ANONYMOUS
from service.app import create_app
from service.bedrock.catalog import resolution
from service.bedrock.catalog.resolution import Target
from service.bedrock.upstream import Upstream
from service.deltas import Done, Failed
from service.engine.engine import GenerateRequest, open_engine
from service.generation import Message, Policies, Request, Text
from service.streams.memory import MemoryJournal
from tests.harness import CLAUDE, client, serving, settings


async def break_down() -> None:
    """A handler with a bug."""
    raise RuntimeError("the secret detail")


@pytest.mark.parametrize("origin", [None, "https://app.example.com"])
async def test_the_log_has_the_trace_and_the_client_a_name_for_it(
    origin: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings(cors_origins="https://app.example.com"))
    app.add_api_route("/broken", break_down)
    headers = {"X-Request-Id": "req-1"} | ({"Origin": origin} if origin else {})

    with caplog.at_level(logging.ERROR):
        async with serving(app) as url, client(url) as http:
            response = await http.get("/broken", headers=headers)

    check(response)
    assert response.headers.get("access-control-allow-origin") == origin
    assert "the secret detail" in caplog.text
    assert "RuntimeError" in caplog.text


def check(response: httpx.Response) -> None:
    problem = response.json()
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == problem["request_id"] == "req-1"
    assert (problem["code"], problem["retryable"]) == ("internal", False)
    assert "secret" not in response.text


class Broken(Upstream):
    """A way to Bedrock with a bug in it."""

    region = "us-east-1"

    def __init__(self) -> None:
        """Need nothing."""

    def asks(self, model_id: str) -> bool:  # noqa: ARG002 - the target is fixed
        return False

    async def resolve(self, request: Request) -> Target:
        return resolution.resolve(request)

    def open(self, *_: object, **__: object) -> Any:
        raise RuntimeError("the secret detail")


async def test_a_bug_in_a_generation_ends_its_stream_once(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[Done | Failed] = []
    request = Request(CLAUDE, (Message("user", (Text("Hi"),)),))
    async with (
        MemoryJournal(ttl_s=60, memory_bytes=1_000_000) as journal,
        open_engine(settings(), Broken(), journal, lambda _, end: ends.append(end)) as engine,
    ):
        log = await engine.start(GenerateRequest(request, ANONYMOUS, "native", Policies()))
        end = await log.wait_for_end()

        assert end == Failed("internal", "Something went wrong on our side.", 500, retryable=False, partial=False)
        assert list(log.events)[-1:] == [end] == ends
        assert log.state == "failed"
    assert "the secret detail" in caplog.text
