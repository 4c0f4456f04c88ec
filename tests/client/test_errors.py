"""Each HTTP status has its class, and the text of an error has what a bug report needs."""

import asyncio

import pytest

import artesian
from artesian import (
    Artesian,
    ArtesianError,
    AsyncArtesian,
    AuthenticationError,
    BadRequest,
    Conflict,
    ConnectionLost,
    Gone,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    ServiceUnavailable,
    TooLarge,
    Unreachable,
)
from tests.client.scripted import HEAD, START, answer, event, scripted
from tests.harness import Service, fault_header

CLASSES: dict[int, type[ArtesianError]] = {
    400: BadRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    405: BadRequest,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    415: BadRequest,
    422: BadRequest,
    429: RateLimited,
    500: ServerError,
    502: ServerError,
    503: ServiceUnavailable,
    504: ServerError,
}


@pytest.mark.parametrize(("status", "kind"), CLASSES.items())
async def test_a_status_has_its_class(status: int, kind: type[ArtesianError]) -> None:
    body = b'{"error":"No.","code":"some_code","request_id":"req_1"}'
    response = answer(f"{status} Refused", body, content_type="application/problem+json", retry_after="7")
    async with scripted(response, response) as server, AsyncArtesian(server.url) as client:
        with pytest.raises(kind) as refused:
            await client.models()
        with pytest.raises(kind) as refused_stream:
            await client.generate("Hi")

    for error in (refused.value, refused_stream.value):
        assert type(error) is kind
        assert str(error) == f"No. (HTTP {status}, some_code, request req_1)"
        assert (error.message, error.retry_after) == ("No.", 7.0)


async def test_the_error_event_of_a_stream_has_the_class_of_its_status() -> None:
    failure = event(2, '{"error":"Slow down.","code":"throttled","status":429,"retryable":true}')
    async with scripted(HEAD + START + failure) as server, AsyncArtesian(server.url) as client:
        with pytest.raises(RateLimited, match=r"Slow down\. \(HTTP 429, throttled") as failed:
            await client.generate("Hi")

    assert failed.value.retryable


@pytest.mark.parametrize(
    ("fault", "parameters", "kind"),
    [
        (None, {"temperature": 7}, BadRequest),
        ("throttle*", {}, RateLimited),
        ("eol", {}, NotFound),
        ("reset@headers*", {}, ServiceUnavailable),
    ],
)
async def test_the_services_errors_have_their_class(
    service: Service, fault: str | None, parameters: dict[str, float], kind: type[ArtesianError]
) -> None:
    def ask() -> None:
        with Artesian(service.url, headers=fault_header(fault)) as client:
            client.generate("Hi", **parameters)  # type: ignore[arg-type]  # a wrong value is the point

    with pytest.raises(kind) as refused:
        await asyncio.to_thread(ask)

    assert refused.value.request_id
    assert refused.value.request_id in str(refused.value)


async def test_an_unknown_stream_is_gone_and_not_found(service: Service) -> None:
    async with AsyncArtesian(service.url) as client:
        with pytest.raises(NotFound) as gone:
            await client.state("0123456789abcdef" * 2)

    assert type(gone.value) is Gone


async def test_without_a_response_there_is_no_status() -> None:
    async with AsyncArtesian("http://127.0.0.1:1") as client:
        with pytest.raises(Unreachable, match=r"\(unreachable\)$") as refused:
            await client.models()

    assert refused.value.status is None


def test_every_error_is_an_artesian_error() -> None:
    for kind in {*CLASSES.values(), Unreachable, ConnectionLost}:
        assert issubclass(kind, ArtesianError)
        assert kind.__name__ in artesian.__all__
