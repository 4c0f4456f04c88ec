"""Traces: the spans that a collector receives, and the cost of an unavailable one."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.bedrock_client.scripted import scripted_server, whole
from tests.dialect_parity import asks
from tests.failover.processes import Replica, http, started
from tests.harness import CLAUDE, Service, running
from tests.native.gates import call_of
from tests.telemetry.collector import Collector, Received, collecting
from tests.waiting import patience

QUESTION = "Please reply with: 'xylophone'"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")


@asynccontextmanager
async def traced(**values: object) -> AsyncIterator[tuple[Service, Collector]]:
    """Run a service and a collector of its traces."""
    async with (
        collecting() as collector,
        running(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, retry_budget=1, **values) as service,
    ):
        yield service, collector


def generation_of(spans: list[Received]) -> Received:
    """Return the generation's span."""
    (span,) = [span for span in spans if span.kind == "SERVER"]
    return span


async def test_a_generation_is_a_span_with_a_child_span_for_its_call() -> None:
    async with traced() as (service, collector):
        answer = await service.ask(prompt=QUESTION, max_tokens=100, temperature=0.5)
        spans = await collector.has(2)

    generation = generation_of(spans)
    (call,) = [span for span in spans if span is not generation]
    attributes = generation.attributes
    assert generation.name == f"chat {CLAUDE}"
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.provider.name"] == "aws.bedrock"
    assert attributes["gen_ai.request.model"] == attributes["gen_ai.response.model"] == CLAUDE
    assert (attributes["gen_ai.request.max_tokens"], attributes["gen_ai.request.temperature"]) == (100, 0.5)
    assert attributes["gen_ai.usage.input_tokens"] == answer["usage"]["input_tokens"]
    assert attributes["gen_ai.usage.output_tokens"] == answer["usage"]["output_tokens"]
    assert attributes["gen_ai.response.finish_reasons"] == [answer["stop_reason"]]
    assert attributes["artesian.stream_id"] == answer["stream_id"]
    assert (attributes["artesian.surface"], attributes["artesian.outcome"]) == ("native", "ok")
    assert (attributes["server.address"], attributes["server.port"]) == ("127.0.0.1", service.bedrock.base_url.port)
    assert not generation.failed
    assert (call.kind, call.trace_id, call.parent_id) == ("CLIENT", generation.trace_id, generation.id)
    assert call.attributes["rpc.method"] == "ConverseStream"
    assert call.attributes["aws.request_id"]
    assert generation.resource["service.name"] == "artesian"


async def test_each_attempt_is_a_span_and_each_retry_an_event() -> None:
    async with traced() as (service, collector):
        await service.stream(fault="throttle,cut@3")
        spans = await collector.has(4)

    generation = generation_of(spans)
    calls = [span for span in spans if span is not generation]
    assert [call.attributes.get("error.type") for call in calls] == ["throttled", "upstream_truncated", None]
    assert [call.failed for call in calls] == [True, True, False]
    turns = [(name, attributes.get("error.type")) for name, attributes in generation.events]
    assert turns == [("retry", "throttled"), ("first_token", None), ("continuation", "upstream_truncated")]
    assert generation.attributes["artesian.attempts"] == 3
    assert not generation.failed


async def test_a_failure_has_its_code_and_a_cancellation_is_not_an_error() -> None:
    async with traced(max_retries=0) as (service, collector):
        await service.stream(fault="cut@3*")
        failed = generation_of(await collector.has(2))
        assert failed.failed
        assert failed.attributes["error.type"] == "upstream_truncated"
        collector.spans.clear()

        async with service.open(fault="gate@2") as events:
            stream_id = (await anext(events)).data["stream_id"]
            await call_of(service, 2, state="waiting")
            await service.http.delete(f"/api/streams/{stream_id}")
        cancelled = generation_of(await collector.has(2))
    assert not cancelled.failed
    assert cancelled.attributes["artesian.outcome"] == "cancelled"


async def test_the_clients_trace_continues_in_ours() -> None:
    headers = {"traceparent": PARENT, "tracestate": "vendor=1"}
    async with traced() as (service, collector):
        for path, body in (
            ("/api/generate", {"prompt": "Hi"}),
            ("/api/generate/stream", {"prompt": "Hi"}),
            ("/v1/chat/completions", asks.chat("Hi")),
            ("/v1/messages", asks.messages("Hi", stream=True)),
        ):
            (await service.http.post(path, json=body, headers=headers)).raise_for_status()
            spans = await collector.has(2)
            generation = generation_of(spans)
            assert {span.trace_id for span in spans} == {PARENT.split("-")[1]}
            assert generation.parent_id == PARENT.split("-")[2]
            assert generation.state == "vendor=1"
            collector.spans.clear()

        await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"traceparent": "nonsense"})
        assert generation_of(await collector.has(2)).parent_id == ""


async def test_the_trace_is_sent_to_aws_in_an_unsigned_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with scripted_server() as upstream:
        upstream.says(whole(400, b'{"message": "no"}', {"x-amzn-errortype": "ValidationException"}))
        settings = {"backend": "aws", "region": "us-east-1", "bedrock_endpoint_url": upstream.url}
        async with traced(**settings) as (service, collector):
            await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"traceparent": PARENT})
            spans = await collector.has(2)
        (asked,) = upstream.received

    (call,) = [span for span in spans if span.kind == "CLIENT"]
    assert asked.headers["traceparent"] == f"00-{call.trace_id}-{call.id}-01"
    assert call.trace_id == PARENT.split("-")[1]
    assert "traceparent" not in asked.headers["authorization"]  # a proxy may change it


async def test_traces_have_no_content() -> None:
    async with traced() as (service, collector):
        await service.stream(prompt=QUESTION, system="You are a marimba.", stop_sequences=["vibraphone"])
        await service.http.post("/api/generate", json={"prompt": QUESTION}, headers={"X-Artesian-Fault": "crc@1*"})
        await collector.has(3)
    for word in (b"xylophone", b"marimba", b"vibraphone"):
        assert word not in collector.bodies


async def test_fastapis_own_telemetry_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would send URLs with their query, which has an EventSource's prompt."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with running(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as service:
            await service.http.get("/api/generate", params={"prompt": QUESTION})
            await service.http.get("/api/generate", params={"prompt": QUESTION, "xylophone": "yes"})
            spans = await collector.has(2)
    assert sorted(span.kind for span in spans) == ["CLIENT", "SERVER"]
    assert b"xylophone" not in collector.bodies


async def test_sampling_is_configured_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "the-front-door")
    async with traced() as (service, collector):
        await service.ask()
        await service.http.post("/api/generate", json={"prompt": "Hi"}, headers={"traceparent": PARENT})
        spans = await collector.has(2)
    assert {span.trace_id for span in spans} == {PARENT.split("-")[1]}
    assert spans[0].resource["service.name"] == "the-front-door"


@pytest.mark.parametrize(("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
async def test_opentelemetrys_variables_turn_it_off(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    async with traced() as (service, collector):
        await service.ask()
        assert service.app.state.settings.otel_exporter_otlp_endpoint == collector.url
    assert collector.spans == []


def test_without_an_endpoint_the_sdk_is_not_loaded() -> None:
    # FastAPI loads OpenTelemetry's small API by itself.
    code = """
import asyncio, sys
from tests.harness import running
async def main():
    async with running() as service:
        await service.ask()
asyncio.run(main())
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, cwd=Path(__file__).parents[2])


@asynccontextmanager
async def dead_collector(kind: str) -> AsyncIterator[str]:
    """Yield an address without a listener, or with one that never responds."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if kind == "hangs":
            sock.listen(100)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["refuses", "hangs"])
async def test_a_dead_collector_delays_no_answer_and_no_shutdown(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with dead_collector(kind) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")  # a shutdown that waits for it outlasts the test
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
        replica = Replica(None, "memory://", backend="local", local_rate=0)
        with started(replica):
            await replica.ready()
            async with patience(), http(replica.url) as client:
                for _ in range(50):
                    (await client.post("/api/generate", json={"prompt": "Hi"})).raise_for_status()
            os.kill(replica.pid, signal.SIGTERM)
            await replica.ended()
            assert replica.said.count("opentelemetry") <= 4  # logged, but not often
