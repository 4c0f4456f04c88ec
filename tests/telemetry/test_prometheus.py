"""The dashboard and the alerts, against a real Prometheus that scrapes a real service."""

import asyncio
import json
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from math import isnan
from pathlib import Path
from shutil import copy

import httpx
import yaml

from tests.dialect_parity import asks
from tests.failover.processes import Bedrock, Replica, http, started
from tests.harness import Json, fault_header
from tests.plugins.prometheus import found
from tests.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD: Json = json.loads((DEPLOY / "grafana" / "artesian.json").read_text())
SCRAPES_AFTERWARDS = 4
WINDOW = "50s"


def panels() -> Iterator[tuple[str, str]]:
    """Yield each query of the dashboard with its panel's title."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']}, {target['refId']}", target["expr"]


def rules() -> Iterator[tuple[str, str]]:
    """Yield the query of each rule; of an alert, the value that it compares."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            name, expression = rule.get("record") or rule["alert"], rule["expr"]
            yield name, re.split(r" (?:>|<|==) [0-9.]+$", expression)[0]


QUERIES = [*panels(), *rules()]


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    promtool = found("promtool")
    checked = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    cases = copy(Path(__file__).parent / "alerts.test.yml", tmp_path)
    copy(ALERTS, tmp_path)
    tested = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_meaning_and_an_action() -> None:
    operating = (DEPLOY.parent / "docs" / "operating.md").read_text()
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in {"warning", "critical"}
                assert set(rule["annotations"]) == {"summary", "description"}
                assert f"`{rule['alert']}`" in operating


async def test_every_query_of_the_dashboard_and_the_alerts_returns_data(tmp_path: Path) -> None:
    prometheus = found("prometheus")
    bedrock = Bedrock(rate=200)
    with started(bedrock):
        await bedrock.ready()
        journal = f"sqlite:///{tmp_path}/streams.db"
        service = Replica(bedrock, journal, max_streams=2, stream_memory=30_000, retry_budget=1)
        with started(service):
            await service.ready()
            async with scraping(prometheus, service, tmp_path) as answers:
                await traffic(service)
                await some_scrapes(answers)
                await traffic(service)
                await some_scrapes(answers)
                empty = [name for name, query in QUERIES if not await has_data(answers, query)]
                known = set((await answers.get("/api/v1/label/__name__/values")).json()["data"])
    assert empty == []
    assert len(QUERIES) > 60
    assert metrics_of(QUERIES) - known <= {
        "artesian_fallbacks_total",
        "artesian_hedges_total",
        "artesian_takeovers_total",
    }


def metrics_of(queries: list[tuple[str, str]]) -> set[str]:
    """Return the names of the metrics in queries."""
    return {name for _, query in queries for name in re.findall(r"\bartesian[_:][\w:]+", query)}


async def traffic(service: Replica) -> None:
    """Make traffic in which each kind of event happens."""
    question = {"prompt": "Why do artesian wells flow?", "max_tokens": 60}
    async with http(service.url) as client:

        async def ask(fault: str | None = None, **more: object) -> None:
            await client.post("/api/generate/stream", json=question | more, headers=fault_header(fault))

        await asyncio.gather(*(ask() for _ in range(5)))  # more than there are slots
        for fault in ("throttle", "cut@3", "http=AccessDeniedException"):
            await ask(fault)
        await ask("cut@3", on_interruption="restart")
        await ask("cut@3*", on_interruption="fail")
        for path, body in (
            ("/v1/chat/completions", asks.chat("Hi")),
            ("/v1/responses", asks.responses("Hi")),
            ("/v1/messages", asks.messages("Hi")),
        ):
            (await client.post(path, json=body)).raise_for_status()
        await client.post("/api/generate", json={"prompt": 1})
        async with client.stream("POST", "/api/generate/stream", json=question, headers=fault_header("gate@2")) as left:
            stream_id = left.headers["x-stream-id"]
            first = await anext(line async for line in left.aiter_lines() if line.startswith("id: "))
        resuming = {"Last-Event-ID": first.removeprefix("id: ")}
        async with client.stream("GET", "/api/generate", headers=resuming):
            await client.delete(f"/api/streams/{stream_id}")


@asynccontextmanager
async def scraping(prometheus: str, service: Replica, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a Prometheus with our rules that scrapes a service twice a second."""
    configuration = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "artesian", "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        prometheus,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        async with http(f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/-/ready")).status_code == httpx.codes.OK
                except httpx.TransportError:
                    return False

            await eventually(ready)
            yield client
    finally:
        process.terminate()
        await process.wait()


async def some_scrapes(answers: httpx.AsyncClient) -> None:
    """Wait for a few more scrapes."""

    async def scrapes() -> int:
        query = 'count_over_time(up{job="artesian"}[10m])'
        found = (await answers.get("/api/v1/query", params={"query": query})).json()["data"]["result"]
        return int(found[0]["value"][1]) if found else 0

    before = await scrapes()

    async def more() -> bool:
        return await scrapes() >= before + SCRAPES_AFTERWARDS

    await eventually(more)


async def has_data(answers: httpx.AsyncClient, query: str) -> bool:
    """Whether a query returns a number."""
    for name, value in (("$__rate_interval", WINDOW), ("$instance", ".*"), ("$model", ".*")):
        query = query.replace(name, value)
    answer = await answers.get("/api/v1/query", params={"query": query})
    assert answer.status_code == httpx.codes.OK, (query, answer.text)
    return any(not isnan(float(sample["value"][1])) for sample in answer.json()["data"]["result"])
