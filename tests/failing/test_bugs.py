"""A bug of ours: the client is told that there is one and how to name it, and nothing of the rest."""

import logging

import httpx
import pytest

from service.app import create_app
from tests.harness import client, serving, settings


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
