"""Authentication: all routes but a few need a key, with the scope of the route."""

import json
from typing import Any

import pytest

from tests.access.holders import EVENTS, Holder, read
from tests.harness import Json, events_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Holders = dict[str, Holder]

OPEN = ["/", "/web/app.js", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/healthz", "/readyz"]
CLOSED = ["/nothing", "/api", "/api/nothing", "/v1/nothing", "/metrics", "/web", "/docsx", "/healthz/x", "//api/models"]
STREAM = f"/api/streams/{'1' * 32}"
NEEDS = {
    ("POST", "/api/generate"): "generate",
    ("GET", "/api/generate?prompt=Hi&stream=false"): "generate",
    ("POST", "/api/generate/stream"): "generate",
    ("DELETE", STREAM): "generate",
    ("POST", "/api/conversations"): "generate",
    ("PATCH", f"/api/conversations/{'1' * 32}"): "generate",
    ("DELETE", f"/api/conversations/{'1' * 32}"): "generate",
    ("POST", f"/api/conversations/{'1' * 32}/messages"): "generate",
    ("POST", "/api/tickets"): "generate",
    ("POST", "/v1/chat/completions"): "generate",
    ("POST", "/v1/responses"): "generate",
    ("POST", "/v1/responses/resp_1/cancel"): "generate",
    ("DELETE", "/v1/responses/resp_1"): "generate",
    ("POST", "/v1/messages"): "generate",
    ("POST", "/v1/messages/count_tokens"): "generate",
    ("GET", STREAM): "read",
    ("GET", "/api/conversations"): "read",
    ("GET", f"/api/conversations/{'1' * 32}"): "read",
    ("GET", "/api/models"): "read",
    ("GET", "/v1/models"): "read",
    ("GET", "/v1/models/x"): "read",
    ("GET", "/v1/responses/resp_1"): "read",
    ("GET", "/v1/responses/resp_1/input_items"): "read",
    ("GET", "/metrics"): "metrics",
}
HAS = {"reader": {"read"}, "writer": {"generate"}, "watcher": {"metrics"}, "ann": {"read", "generate"}}
named = [" ".join(call) for call in NEEDS]


def refusal(response: Any) -> str:
    """Return the message of an error in any dialect."""
    body = response.json()
    return str(body["error"]["message"] if isinstance(body["error"], dict) else body["error"])


@pytest.mark.parametrize("path", OPEN)
async def test_public_routes_need_no_key(holders: Holders, path: str) -> None:
    response = await holders["ann"].service.http.get(path)

    assert response.status_code == 200


@pytest.mark.parametrize("path", CLOSED)
async def test_unknown_paths_need_a_key(holders: Holders, path: str) -> None:
    response = await holders["ann"].service.http.get(path)

    assert response.status_code == 401


async def test_every_documented_route_needs_a_key_or_is_public(holders: Holders) -> None:
    service = holders["ann"].service
    document = (await service.http.get("/openapi.json")).json()

    for path, methods in document["paths"].items():
        for method in methods.keys() & {"get", "post", "patch", "delete", "put"}:
            address = path.replace("{model_id}", "m").replace("{", "").replace("}", "")
            response = await service.http.request(method.upper(), address)
            assert (response.status_code == 401) == (path not in OPEN), (method, path)


@pytest.mark.parametrize(("method", "path"), NEEDS, ids=named)
async def test_a_request_without_a_key_is_401_in_the_form_of_its_dialect(
    holders: Holders, method: str, path: str
) -> None:
    response = await holders["ann"].service.http.request(method, path, content=b"not even JSON")

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    body = response.json()
    if path.startswith("/v1/messages"):
        assert body["type"] == "error"
        assert body["error"]["type"] == "authentication_error"
    elif path.startswith("/v1/"):
        assert body["error"]["type"] == "authentication_error"
        assert response.headers["x-should-retry"] == "false"
    else:
        assert response.headers["content-type"] == "application/problem+json"
        assert (body["code"], body["status"], body["retryable"]) == ("unauthenticated", 401, False)


@pytest.mark.parametrize(("method", "path"), NEEDS, ids=named)
async def test_a_key_without_the_scope_is_403_with_the_scopes_name(holders: Holders, method: str, path: str) -> None:
    needed = NEEDS[method, path]

    for name, scopes in HAS.items():
        response = await holders[name].ask(method, path, {} if method in {"POST", "PATCH"} else None)
        if needed in scopes:
            assert response.status_code not in {401, 403}, (name, response.text)
        else:
            assert response.status_code == 403, name
            assert refusal(response) == f"This API key lacks the scope `{needed}`."
            if path.startswith("/v1/"):
                assert response.json()["error"]["type"] == "permission_error"


@pytest.mark.parametrize(("method", "path"), NEEDS, ids=named)
async def test_an_admin_has_every_scope(holders: Holders, method: str, path: str) -> None:
    response = await holders["chief"].ask(method, path, {} if method in {"POST", "PATCH"} else None)

    assert response.status_code not in {401, 403}


async def test_a_key_is_accepted_in_either_header(holders: Holders) -> None:
    ann, http = holders["ann"], holders["ann"].service.http
    good: list[dict[str, str]] = [
        {"Authorization": f"Bearer {ann.key}"},
        {"Authorization": f"bearer  {ann.key}"},
        {"x-api-key": ann.key},
        {"x-api-key": ann.key, "Authorization": "Basic dXNlcjpwYXNz"},
        {"x-api-key": ann.key, "Authorization": "Bearer unknown"},
        {"x-api-key": "unknown", "Authorization": f"Bearer {ann.key}"},
    ]
    for headers in good:
        assert (await http.get("/api/models", headers=headers)).status_code == 200, headers


async def test_an_invalid_key_is_rejected(holders: Holders) -> None:
    ann, http = holders["ann"], holders["ann"].service.http
    bad: list[dict[str, str]] = [
        {"Authorization": ann.key},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {ann.key}"},
        {"Authorization": f"Bearer {ann.key[:-1]}"},
        {"Authorization": f"Bearer {ann.key}x"},
        {"Authorization": f"Bearer {ann.key} {ann.key}"},
        {"Authorization": f"Bearer {ann.key.upper()}"},
        {"x-api-key": ""},
        {"x-api-key": "\xe9\xff"},
        {"Cookie": f"x-api-key={ann.key}"},
        {"api-key": ann.key},
    ]
    for headers in bad:
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        response = await http.get("/api/models", headers=encoded)  # type: ignore[arg-type]  # it sends bytes
        assert response.status_code == 401, headers


async def test_a_key_that_is_no_longer_valid_gets_the_reason(holders: Holders) -> None:
    late, gone = [await holders[name].ask("GET", "/api/models") for name in ("late", "gone")]

    assert (late.status_code, refusal(late)) == (401, "This API key has expired.")
    assert (gone.status_code, refusal(gone)) == (401, "This API key was revoked.")


@pytest.mark.parametrize("name", ["api_key", "key", "access_token", "token", "x-api-key", "apikey"])
async def test_a_key_in_a_url_is_refused_with_the_parameters_name(holders: Holders, name: str) -> None:
    ann = holders["ann"]
    for headers in ({}, ann.header):
        response = await ann.service.http.get("/api/models", params={name: ann.key}, headers=headers)

        assert response.status_code == 401
        assert refusal(response).startswith(f"{name}: a key does not belong in an address")
        assert "POST /api/tickets" in refusal(response)
        assert ann.key not in response.text


@pytest.mark.parametrize(
    ("name", "query", "status"),
    [(None, "", 401), (None, "&key=art_x", 401), (None, "&ticket=x", 401), ("reader", "", 403), ("gone", "", 401)],
)
async def test_an_event_source_can_read_its_error(holders: Holders, name: str | None, query: str, status: int) -> None:
    service = holders["ann"].service
    headers = holders[name].header if name else {}

    answered, [event] = await read(service, f"/api/generate?prompt=Hi{query}", **headers)

    assert answered == 200
    assert event.name == "message"
    assert event.data["status"] == status
    assert event.data["code"] == {401: "unauthenticated", 403: "forbidden"}[status]
    comes_back = {**EVENTS, **headers, "Last-Event-ID": event.id}
    assert (await service.http.get(f"/api/generate?prompt=Hi{query}", headers=comes_back)).status_code == 204


async def test_the_body_of_a_request_without_a_key_is_not_read(holders: Holders) -> None:
    service = holders["ann"].service
    before = len(await service.calls())

    response = await service.http.post("/api/generate", content=b"{", headers={"Content-Type": "text/plain"})

    assert response.status_code == 401  # and not 415 or 400
    assert len(await service.calls()) == before


async def test_readiness_is_public_and_its_details_need_a_key(holders: Holders) -> None:
    ann = holders["ann"]
    without_key: Json = (await ann.service.http.get("/readyz")).json()
    with_unknown_key: Json = (await ann.service.http.get("/readyz", headers={"x-api-key": "unknown"})).json()
    holder: Json = (await ann.ask("GET", "/readyz")).json()

    assert without_key["status"] == holder["status"] == "ready"
    assert "streams" not in without_key
    assert with_unknown_key == without_key
    assert holder["streams"] == 0


async def test_with_keys_the_origin_of_a_request_is_irrelevant(holders: Holders) -> None:
    for headers in ({"Host": "api.example.com"}, {"Origin": "https://app.example.com"}):
        assert (await holders["ann"].ask("GET", "/api/models", **headers)).status_code == 200
        response = await holders["ann"].service.http.get("/api/models", headers=headers)
        assert response.status_code == 401
        assert "access-control-allow-origin" not in response.headers


async def test_a_stream_is_read_with_the_key_that_started_it(holders: Holders) -> None:
    ann = holders["ann"]
    async with ann.service.http.stream("GET", "/api/generate?prompt=Hi", headers={**EVENTS, **ann.header}) as response:
        events = [event async for event in events_of(response)]

    status, again = await read(ann.service, f"/api/streams/{events[0].data['stream_id']}", **ann.header)
    assert status == 200
    assert again == events
    assert json.dumps(events[-1].data["done"]) == "true"
