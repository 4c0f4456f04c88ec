"""`/metrics` counts each event once, with the right labels."""

import asyncio
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics import parser

from service.telemetry.metrics import MetricSet
from tests.dialect_parity import asks
from tests.harness import CLAUDE, Json, Service, fault_header, running
from tests.native.gates import call_of, release
from tests.speed.budget import DELTAS, cost
from tests.telemetry.scraping import HAIKU, Scrape, scrape
from tests.waiting import eventually

QUESTION = "Why do artesian wells flow?"


async def until_ended(service: Service, number: int) -> Scrape:
    """Wait until `number` requests have been counted."""

    async def counted() -> Scrape | None:
        seen = await scrape(service)
        return seen if seen("artesian_requests_total") >= number else None

    found: Scrape = await eventually(counted)
    return found


async def test_a_generation_is_counted_once_by_surface_model_and_outcome(service: Service) -> None:
    await service.ask()
    await service.stream()
    for path, body in (
        ("/v1/chat/completions", asks.chat(QUESTION)),
        ("/v1/responses", asks.responses(QUESTION)),
        ("/v1/messages", asks.messages(QUESTION)),
    ):
        for stream in (False, True):
            (await service.http.post(path, json=body | {"stream": stream})).raise_for_status()

    seen = await scrape(service)
    for surface in ("native", "chat", "responses", "messages"):
        assert seen("artesian_requests_total", surface=surface, model=HAIKU, outcome="ok") == 2
    assert seen("artesian_requests_total") == seen("artesian_key_requests_total", key="anonymous", outcome="ok") == 8
    assert seen("artesian_generation_duration_seconds_count", model=HAIKU, outcome="ok") == 8
    assert seen("artesian_time_to_first_token_seconds_count", model=HAIKU) == 8
    assert seen("artesian_request_added_seconds_count") == 8
    assert seen("artesian_stops_total", model=HAIKU, stop_reason="end_turn") == 8
    assert seen("artesian_upstream_calls_total", model=HAIKU, outcome="ok") == 8


async def test_tokens_are_those_that_are_billed(service: Service) -> None:
    usage = [(await service.ask())["usage"], (await service.stream(prompt=QUESTION))[-1].data["usage"]]

    seen = await scrape(service)
    for kind in ("input", "output"):
        billed = sum(each[f"{kind}_tokens"] for each in usage)
        assert seen("artesian_tokens_total", model=HAIKU, kind=kind) == billed > 0
        assert seen("artesian_key_tokens_total", key="anonymous", kind=kind) == billed


FAILURES = {
    "a rejection": ("http=AccessDeniedException", "access_denied", False),
    "a cut": ("cut@3*", "upstream_truncated", True),
    "a broken frame": ("crc@3*", "upstream_corrupt", True),
    "an exception in the stream": ("exception=modelStreamErrorException@3*", "model_error", True),
    "a cut before the first text": ("cut@open*", "upstream_truncated", False),
}


@pytest.mark.parametrize(("fault", "code", "partial"), FAILURES.values(), ids=FAILURES)
async def test_a_failed_or_truncated_answer_is_never_a_success(fault: str, code: str, partial: bool) -> None:  # noqa: FBT001
    async with running(max_retries=0) as service:
        for path, body in (
            ("/api/generate", {"prompt": QUESTION}),
            ("/api/generate/stream", {"prompt": QUESTION}),
            ("/v1/chat/completions", asks.chat(QUESTION, stream=True)),
            ("/v1/responses", asks.responses(QUESTION, stream=True)),
            ("/v1/messages", asks.messages(QUESTION, stream=True)),
        ):
            await service.http.post(path, json=body, headers=fault_header(fault))

        seen = await scrape(service)
    assert seen("artesian_requests_total") == seen("artesian_requests_total", outcome=code, model=HAIKU) == 5
    assert seen("artesian_requests_total", outcome="ok") == 0
    assert seen("artesian_stops_total") == 0
    assert seen("artesian_upstream_calls_total", outcome=code) == 5
    assert seen("artesian_time_to_first_token_seconds_count") == (5 if partial else 0)


async def test_a_cancelled_answer_has_its_own_outcome(service: Service) -> None:
    async with service.open(fault="gate@2") as events:
        stream_id = (await anext(events)).data["stream_id"]
        await call_of(service, state="waiting")
        assert (await scrape(service))("artesian_streams_open") == 1
        assert (await scrape(service))("artesian_readers") == 1
        await service.http.delete(f"/api/streams/{stream_id}")

    seen = await until_ended(service, 1)
    assert seen("artesian_requests_total") == seen("artesian_requests_total", outcome="cancelled") == 1
    assert seen("artesian_upstream_calls_total", outcome="cancelled") == 1
    assert seen("artesian_streams_open") == 0

    async def has_no_reader() -> bool:
        return (await scrape(service))("artesian_readers") == 0

    await eventually(has_no_reader)


async def test_retries_throttles_and_continuations_are_counted_and_the_answer_is_one_success() -> None:
    async with running(retry_budget=1) as service:
        await service.stream(prompt=QUESTION, fault="throttle*2")
        await service.stream(prompt=QUESTION, fault="cut@3")
        await service.stream(prompt=QUESTION, fault="cut@3", on_interruption="restart")

        seen = await scrape(service)
    assert seen("artesian_requests_total") == seen("artesian_requests_total", outcome="ok") == 3
    assert seen("artesian_upstream_retries_total", model=HAIKU, code="throttled") == 2
    assert seen("artesian_upstream_throttles_total", model=HAIKU) == 2
    assert seen("artesian_upstream_calls_total", outcome="throttled") == 2
    assert seen("artesian_continuations_total", model=HAIKU) == 1
    assert seen("artesian_restarts_total", model=HAIKU) == 1
    assert seen("artesian_upstream_calls_total", operation="ConverseStream") == 7


async def test_a_reader_that_disconnects_and_resumes_is_counted(service: Service) -> None:
    async with service.open(fault="gate@2") as events:
        first = await anext(events)
        await call_of(service, state="waiting")

    async def detached() -> Scrape | None:
        seen = await scrape(service)
        return seen if seen("artesian_streams_detached") else None

    seen: Scrape = await eventually(detached)
    assert (seen("artesian_streams_open"), seen("artesian_streams_left_total")) == (1, 1)
    resuming = asyncio.create_task(service.resume(first.id))

    async def back() -> bool:
        return (await scrape(service))("artesian_streams_detached") == 0

    await eventually(back)
    await release(service)
    assert (await resuming)[-1].data["done"]
    assert (await scrape(service))("artesian_streams_resumed_total", surface="native") == 1


async def test_queued_requests_and_their_waits_are_counted() -> None:
    async with running(max_streams=1) as service:
        first = asyncio.create_task(service.stream(fault="gate"))
        await call_of(service, state="waiting")
        second = asyncio.create_task(service.stream())

        async def queued() -> bool:
            return (await scrape(service))("artesian_streams_queued") == 1

        await eventually(queued)
        await release(service)
        await asyncio.gather(first, second)
        seen = await scrape(service)
    assert seen("artesian_queue_wait_seconds_count") == 1
    assert seen("artesian_streams_queued") == 0
    assert seen("artesian_streams_limit") == 1


async def test_evicted_streams_are_counted() -> None:
    async with running(stream_memory=20_000) as service:
        for _ in range(8):
            await service.stream(prompt=QUESTION)

        assert (await scrape(service))("artesian_streams_evicted_total") >= 1


REFUSED: dict[str, tuple[str, Json, str, str]] = {
    "an invalid field": ("/api/generate", {"prompt": 1}, "native", "validation"),
    "a model without the capability": (
        "/api/generate",
        {"prompt": "Hi", "model_id": "amazon.titan-text-lite-v1", "top_k": 3},
        "native",
        "validation",
    ),
    "no messages": ("/v1/chat/completions", {"model": CLAUDE}, "chat", "validation"),
}


@pytest.mark.parametrize(("path", "body", "surface", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_refused_request_is_counted_with_its_error_code(
    service: Service, path: str, body: Json, surface: str, code: str
) -> None:
    status = (await service.http.post(path, json=body)).status_code

    seen = await scrape(service)
    assert seen("artesian_requests_total", surface=surface, model="none", outcome=code) == 1
    assert seen("artesian_requests_total") == 1
    assert seen("artesian_http_requests_total", route=path, method="POST", status=str(status)) == 1


async def test_other_routes_are_not_requests_for_an_answer(service: Service) -> None:
    await service.http.get("/nowhere/at/all")
    await service.http.get("/api/streams/nonsense")

    seen = await scrape(service)
    assert seen("artesian_requests_total") == 0
    assert seen("artesian_http_requests_total", route="other", status="404") == 1
    assert seen("artesian_http_requests_total", route="/api/streams/{stream_id}", status="400") == 1


async def test_labels_are_bounded_whatever_clients_send() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"
    async with running(model_aliases={"fast": CLAUDE, "ours": {"id": arn, "family": "nova"}}) as service:
        for number in range(5):
            await service.http.post("/v1/chat/completions", json=asks.chat("Hi") | {"model": f"made-up-{number}"})
            await service.http.request("PURGE", "/healthz")
        for name in ("fast", "ours", f"us.{HAIKU}"):
            await service.http.post("/v1/chat/completions", json=asks.chat("Hi") | {"model": name})

        seen = await scrape(service)
    models = {labels["model"] for labels in seen.labels("artesian_requests_total")}
    assert models == {"other", HAIKU, "ours"}
    methods = {labels["method"] for labels in seen.labels("artesian_http_requests_total")}
    assert methods == {"POST", "GET", "other"}
    assert arn not in str(seen.families)


async def test_times_between_deltas_and_added_times_are_measured() -> None:
    async with running(local_rate=200) as service:
        events = await service.stream(prompt=QUESTION, max_tokens=30)

        seen = await scrape(service)
    batches = seen("artesian_time_between_deltas_seconds_count", model=HAIKU)
    assert 1 <= batches < len(events)
    took = seen("artesian_time_between_deltas_seconds_sum", model=HAIKU)
    assert 0 < took <= seen("artesian_generation_duration_seconds_sum")
    assert 1 <= seen("artesian_delta_added_seconds_count") <= batches + 1
    assert seen("artesian_delta_added_seconds_sum") < took


async def test_the_loop_and_the_process_are_measured(service: Service) -> None:
    async def sampled() -> Scrape | None:
        seen = await scrape(service)
        return seen if seen("artesian_event_loop_lag_seconds_count") else None

    seen: Scrape = await eventually(sampled)
    assert seen("artesian_resident_memory_bytes") > 10_000_000
    assert seen("artesian_cpu_seconds_total") > 0
    assert (seen("artesian_workers"), seen("artesian_journal_up"), seen("artesian_draining")) == (1, 1, 0)


async def test_commits_of_a_journal_on_disk_are_measured(tmp_path: object) -> None:
    async with running(journal_url=f"sqlite:///{tmp_path}/streams.db") as service:
        await service.stream()

        assert (await scrape(service))("artesian_journal_commit_seconds_count") >= 1


async def test_openmetrics_is_returned_when_it_is_accepted(service: Service) -> None:
    await service.ask()
    response = await service.http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    parse: Any = parser.text_string_to_metric_families  # untyped
    families = {family.name: family for family in parse(response.text)}
    assert families["artesian_requests"].type == "counter"
    plain = await service.http.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert "_created" not in plain.text


async def test_metrics_have_no_content(service: Service) -> None:
    events = await service.stream(prompt="Please reply with: 'xylophone'")
    text = (await service.http.get("/metrics")).text

    assert "xylophone" not in text
    assert events[0].data["stream_id"] not in text


async def test_observing_a_delta_is_at_most_three_calls_without_allocation() -> None:
    tally = MetricSet().between.of("a model")

    def note_all() -> None:
        for _ in range(DELTAS):
            tally.note(0.04)

    noted = await cost(lambda: nullcontext(note_all))

    assert noted.calls <= 3
    assert noted.blocks < 1


async def test_an_unknown_http_method_is_counted(service: Service) -> None:
    refused = await service.http.post("/api/generate", content="prompt=Hi", headers={"Content-Type": "text/plain"})
    assert refused.status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE

    seen = await scrape(service)
    assert seen("artesian_requests_total", surface="native", outcome="unsupported_media_type") == 1
    assert seen("artesian_http_requests_total", route="other", status="415") == 1


async def test_an_open_circuit_breaker_is_exposed() -> None:
    async with running(max_retries=0) as service:
        for _ in range(20):
            await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=fault_header("http=500*;counted"))
        seen = await scrape(service)
    assert seen("artesian_breakers_open", model=HAIKU) == 1
    assert seen("artesian_upstream_calls_in_flight", model=HAIKU) == 0
    assert seen("artesian_requests_total", outcome="ok") == 0


async def test_tokens_are_counted_for_the_model_that_answered() -> None:
    nova = "amazon.nova-lite-v1:0"
    async with running(fallbacks={CLAUDE: [nova]}, max_retries=0) as service:
        answer = await service.ask(fault="http=500")

        seen = await scrape(service)
    assert seen("artesian_requests_total", model=HAIKU, outcome="ok") == 1
    assert seen("artesian_fallbacks_total", model=HAIKU) == 1
    assert seen("artesian_tokens_total", model=nova, kind="output") == answer["usage"]["output_tokens"] > 0
    assert seen("artesian_tokens_total", model=HAIKU) == 0
