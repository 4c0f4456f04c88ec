"""Who may ask: without keys no web page may spend its visitor's money, however it tries."""

import httpx
import pytest

from tests.harness import Service, running

PAGE = "https://app.example.com"
FOREIGN = [
    {"Host": "evil.example.com"},
    {"Host": "evil.example.com:8000"},
    {"Host": "127.0.0.1.evil.example.com"},
    {"Host": "localhost.evil.example.com"},
    {"Host": "192.168.1.5:8000"},
    {"Host": "[2001:db8::1]:8000"},
    {"Host": "[broken"},
    {"Host": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": PAGE},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example.com"},
    {"Origin": "http://[broken"},
    {"Origin": "file://"},
    {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"},
]
OURS: list[dict[str, str]] = [
    {},
    {"Host": "localhost:8000"},
    {"Host": "app.localhost"},
    {"Host": "127.0.0.2"},
    {"Host": "[::1]:8000"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
]
named = [", ".join(f"{name}: {value}" for name, value in headers.items()) for headers in FOREIGN]
CALLS = [
    ("POST", "/api/generate"),
    ("POST", "/api/generate/stream"),
    ("GET", "/api/generate?prompt=Hi"),
    ("GET", "/api/models"),
    ("GET", f"/api/streams/{'0' * 31}1"),
    ("DELETE", f"/api/streams/{'0' * 31}1"),
    ("GET", "/docs"),
]


async def ask(service: Service, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    body = {"prompt": "Hi"} if method == "POST" else None
    return await service.http.request(method, path, json=body, headers=headers)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("headers", FOREIGN, ids=named)
async def test_who_comes_from_elsewhere_is_refused_everywhere(shared: Service, headers: dict[str, str]) -> None:
    before = len(await shared.calls())
    for method, path in CALLS:
        response = await ask(shared, method, path, headers)
        assert response.status_code == 403, (method, path)
        assert response.json()["code"] == "forbidden"
        assert response.headers["content-type"] == "application/problem+json"
        assert "access-control-allow-origin" not in response.headers
    assert len(await shared.calls()) == before


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("headers", FOREIGN, ids=named)
async def test_an_event_source_from_elsewhere_gets_no_event_but_the_refusal(
    shared: Service, headers: dict[str, str]
) -> None:
    response = await ask(shared, "GET", "/api/generate?prompt=Hi", {**headers, "Accept": "text/event-stream"})

    assert response.status_code == 403


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("headers", OURS, ids=lambda headers: ", ".join(headers) or "nothing")
async def test_who_is_on_this_machine_may_ask(shared: Service, headers: dict[str, str]) -> None:
    assert (await ask(shared, "POST", "/api/generate", headers)).status_code == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_a_prober_names_whatever_host_it_likes(shared: Service) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await ask(shared, "GET", path, {"Host": "10.1.2.3:8000"})).status_code == 200


async def test_a_listed_host_may_be_named() -> None:
    async with running(allowed_hosts="artesian.internal, Other.internal") as service:
        for host in ("artesian.internal", "ARTESIAN.internal:8000", "other.internal"):
            assert (await ask(service, "POST", "/api/generate", {"Host": host})).status_code == 200
        assert (await ask(service, "POST", "/api/generate", {"Host": "another.internal"})).status_code == 403


async def test_without_a_host_nobody_is_served(service: Service) -> None:
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    writer.write(b"GET /api/models HTTP/1.0\r\n\r\n")
    status = await reader.readline()
    writer.close()

    assert b" 403 " in status


class TestPagesOfListedOrigins:
    """`CORS_ORIGINS`."""

    async def test_a_listed_page_may_ask_and_read_what_it_needs(self) -> None:
        async with running(cors_origins=f"{PAGE}, https://other.example.com") as service:
            headers = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
            response = await ask(service, "POST", "/api/generate/stream", headers)

        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == PAGE
        exposed = {name.strip().lower() for name in response.headers["access-control-expose-headers"].split(",")}
        assert exposed >= {"x-stream-id", "x-request-id", "request-id", "retry-after", "x-artesian-backend"}
        assert {"ratelimit", "ratelimit-policy"} <= exposed or "ratelimit*" in exposed

    @pytest.mark.parametrize(
        "wanted",
        [
            "content-type",
            "authorization",
            "x-api-key",
            "last-event-id",
            "idempotency-key",
            "x-on-disconnect",
            "anthropic-version",
            "anthropic-beta",
            "anthropic-dangerous-direct-browser-access",
            "x-stainless-lang",
            "X-Stainless-Retry-Count",
            "content-type,anthropic-version,x-stainless-os,x-api-key",
        ],
    )
    async def test_its_browser_is_told_that_it_may_send_what_the_clients_send(self, wanted: str) -> None:
        async with running(cors_origins=PAGE) as service:
            response = await self.preflight(service, "POST", wanted)

        assert response.status_code == 200, response.text
        allowed = {name.strip().lower() for name in response.headers["access-control-allow-headers"].split(",")}
        assert {name.lower() for name in wanted.split(",")} <= allowed

    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
    async def test_every_method_of_the_interface_is_open_to_it(self, method: str) -> None:
        async with running(cors_origins=PAGE) as service:
            response = await self.preflight(service, method, "content-type")

        assert method in response.headers["access-control-allow-methods"]

    @pytest.mark.parametrize("wanted", ["x-artesian-fault", "cookie", "anthropicversion", "x-anything"])
    async def test_nothing_else_may_be_sent(self, wanted: str) -> None:
        async with running(cors_origins=PAGE) as service:
            response = await self.preflight(service, "POST", wanted)

        assert response.status_code == 400 or wanted not in response.headers.get("access-control-allow-headers", "")

    async def test_another_page_is_refused_still(self) -> None:
        async with running(cors_origins=PAGE) as service:
            for origin in ("https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com"):
                headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
                assert (await ask(service, "POST", "/api/generate", headers)).status_code == 403
                asked = {**headers, "Access-Control-Request-Method": "POST"}
                response = await service.http.request("OPTIONS", "/api/generate", headers=asked)
                assert response.status_code == 403

    async def test_it_reads_a_refusal_too(self) -> None:
        async with running(cors_origins=PAGE) as service:
            wrong = await service.http.post("/api/generate", json={}, headers={"Origin": PAGE})
            kind = await service.http.post("/api/generate", content="Hi", headers={"Origin": PAGE})

        assert (wrong.status_code, kind.status_code) == (422, 415)
        assert wrong.headers["access-control-allow-origin"] == PAGE
        assert kind.headers["access-control-allow-origin"] == PAGE

    @staticmethod
    async def preflight(service: Service, method: str, wanted: str) -> httpx.Response:
        headers = {
            "Origin": PAGE,
            "Sec-Fetch-Site": "cross-site",
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": wanted,
        }
        return await service.http.request("OPTIONS", "/api/generate", headers=headers)
