"""Amazon Bedrock without what it needs: the service starts, and each call says what is missing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from service.local.server import serve_local
from tests.harness import Json, Service, running


@pytest.fixture(autouse=True)
def _nothing_of_the_developers_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@asynccontextmanager
async def aws(**values: object) -> AsyncIterator[Service]:
    """The service in front of what it takes for Amazon Bedrock."""
    async with serve_local(rate=0, faults=True) as url:
        settings: Json = {"backend": "aws", "bedrock_endpoint_url": url} | values
        async with running(**settings) as service:
            yield service


async def post(service: Service, path: str = "/api/generate") -> httpx.Response:
    return await service.http.post(path, json={"prompt": "Hi"})


@pytest.mark.parametrize("path", ["/api/generate", "/api/generate/stream"])
async def test_without_credentials_the_refusal_names_the_remedy(path: str) -> None:
    async with aws(region="us-east-1") as service:
        response = await post(service, path)
        ready = await service.http.get("/readyz")

    assert response.status_code == 403
    assert response.json()["code"] == "access_denied"
    assert response.json()["retryable"] is False
    assert "AWS_BEARER_TOKEN_BEDROCK" in response.json()["error"]
    assert "ARTESIAN_PROFILE" in response.json()["error"]
    assert ready.status_code == 503
    assert ready.json()["backend"]["credentials"] is False


@pytest.mark.usefixtures("_keys")
@pytest.mark.parametrize("path", ["/api/generate", "/api/generate/stream"])
async def test_without_a_region_the_refusal_names_the_remedy(path: str) -> None:
    async with aws() as service:
        response = await post(service, path)
        ready = await service.http.get("/readyz")

    assert response.status_code == 403
    assert response.json()["code"] == "access_denied"
    assert "ARTESIAN_REGION" in response.json()["error"]
    assert "AWS_REGION" in response.json()["error"]
    assert ready.status_code == 503
    assert ready.json()["backend"]["region"] is None


@pytest.mark.usefixtures("_keys")
async def test_a_profile_that_does_not_exist_is_named() -> None:
    async with aws(region="us-east-1", profile="nobody") as service:
        response = await post(service)

    assert response.json()["code"] == "access_denied"
    assert "nobody" in response.json()["error"]


@pytest.mark.usefixtures("_keys")
async def test_an_event_source_reads_the_remedy_too() -> None:
    async with aws() as service:
        response = await service.http.get("/api/generate?prompt=Hi", headers={"Accept": "text/event-stream"})

    assert response.status_code == 200
    assert "ARTESIAN_REGION" in response.text
    assert '"status":403' in response.text


@pytest.mark.usefixtures("_keys")
async def test_with_both_it_answers_and_says_which_backend_it_was() -> None:
    async with aws(region="eu-central-1") as service:
        response = await post(service)
        ready = await service.http.get("/readyz")

    assert response.status_code == 200
    assert response.headers["x-artesian-backend"] == "aws"
    assert response.json()["metrics"]["region"] == "eu-central-1"
    assert ready.status_code == 200


async def test_a_bearer_key_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-test")
    async with aws(region="us-east-1") as service:
        assert (await post(service)).status_code == 200


@pytest.mark.usefixtures("_keys")
async def test_an_order_of_a_fault_is_passed_on_only_where_that_is_allowed() -> None:
    async with aws(region="us-east-1", local_faults=False) as service:
        headers = {"X-Artesian-Fault": "throttle*"}
        response = await service.http.post("/api/generate", json={"prompt": "Hi"}, headers=headers)

    assert response.status_code == 200
