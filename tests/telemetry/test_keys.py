"""Metrics with keys: permission to read them, and labels by key."""

from pathlib import Path

from tests.access.holders import held
from tests.telemetry.collector import collecting
from tests.telemetry.scraping import Scrape

HOLDERS = {"ann": {"scopes": ["generate", "read"]}, "prometheus": {"scopes": ["metrics"]}}


async def test_requests_and_tokens_are_counted_by_key_and_need_a_scope(tmp_path: Path) -> None:
    async with held(tmp_path, HOLDERS) as (ann, prometheus):
        usage = (await ann.generate()).json()["usage"]
        await ann.service.http.post("/api/generate", json={"prompt": "Hi"})
        assert (await prometheus.generate()).status_code == 403
        assert (await ann.service.http.get("/metrics")).status_code == 401
        assert (await ann.ask("GET", "/metrics")).status_code == 403
        answer = await prometheus.ask("GET", "/metrics")

    assert answer.status_code == 200
    seen = Scrape(answer.text)
    assert seen("artesian_key_requests_total", key="ann", outcome="ok") == 1
    assert seen("artesian_key_requests_total", key="none", outcome="unauthenticated") == 1
    assert seen("artesian_key_requests_total", outcome="forbidden") == 1
    assert seen("artesian_key_tokens_total", key="ann", kind="output") == usage["output_tokens"]
    for holder in (ann, prometheus):
        assert holder.key not in answer.text


async def test_a_span_names_the_key_by_its_id(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with held(tmp_path, HOLDERS, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as (ann, _):
            await ann.generate()
        assert {span.attributes.get("artesian.key_id") for span in collector.spans} == {
            "ann",
            None,
        }  # flushed at the end
    assert ann.key.encode() not in collector.bodies
