"""Who the client says it is: credentials, regions and profiles, and their absence."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.bedrock.client import BedrockClient, Endpoint, SdkCall, open_client
from service.bedrock.client.credentials import CredentialChain
from service.errors import UpstreamError
from service.settings import Settings
from tests.bedrock_client.scripted import ScriptedServer, scripted_server, whole
from tests.waiting import patience

ASK = SdkCall("Converse", "m", b"{}")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as scripted:
        scripted.says(whole(200, b"{}"))
        yield scripted


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nobody has set up AWS; returns the folder of its files."""
    for name in os.environ:
        if name.startswith(("AWS_", "BOTO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


async def refusal(client: BedrockClient) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        await client.send(ASK)
    return raised.value


def aws_client(url: str | None, **settings: Any) -> Any:
    endpoint = Endpoint.aws(Settings(backend="aws", bedrock_endpoint_url=url, **settings))
    return open_client(endpoint, max_streams=2, connect_timeout=1)


async def test_without_credentials_it_opens_and_each_call_says_what_to_set(server: ScriptedServer) -> None:
    async with aws_client(server.url, region="eu-west-1") as client:
        assert not await client.credentials_found()
        for _ in range(2):
            error = await refusal(client)
            assert error.code.name == "access_denied"
            assert "AWS_BEARER_TOKEN_BEDROCK" in error.message
            assert "ARTESIAN_PROFILE" in error.message

    assert server.received == []


async def test_without_a_region_it_opens_and_each_call_says_what_to_set(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, KEYS)

    async with aws_client(server.url) as client:
        assert client.region is None
        assert await client.credentials_found()
        error = await refusal(client)

    assert error.code.name == "access_denied"
    assert "ARTESIAN_REGION" in error.message


async def test_a_profile_that_does_not_exist_is_named_at_each_call(server: ScriptedServer) -> None:
    async with aws_client(server.url, profile="nobody") as client:
        assert client.region is None
        assert not await client.credentials_found()
        error = await refusal(client)

    assert error.code.name == "access_denied"
    assert "nobody" in error.message


async def test_an_address_that_the_sdk_cannot_use_is_named_at_each_call() -> None:
    async with aws_client("http://under_score:1", region="eu-west-1") as client:
        error = await refusal(client)

    assert error.code.name == "access_denied"
    assert "under_score" in error.message


@pytest.mark.parametrize(
    ("environment", "setting", "region"),
    [
        ({"AWS_REGION": "eu-north-1"}, None, "eu-north-1"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-south-1"}, None, "eu-south-1"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-south-1"}, "eu-west-3", "eu-west-3"),
    ],
)
async def test_a_region_is_ours_then_the_sdks_then_aws_region(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    setting: str | None,
    region: str,
) -> None:
    set_all(monkeypatch, KEYS | environment)

    async with aws_client(server.url, region=setting) as client:
        await client.send(ASK)
        assert client.region == region

    assert f"/{region}/bedrock/aws4_request" in server.received[0].headers["authorization"]


async def test_a_profile_brings_its_keys_and_region_and_beats_the_environments_keys(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, aws: Path
) -> None:
    set_all(monkeypatch, KEYS)
    (aws / "config").write_text("[profile work]\nregion = ap-south-1\n")
    (aws / "credentials").write_text("[work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = s\n")

    async with aws_client(server.url, profile="work") as client:
        await client.send(ASK)
        assert await client.credentials_found()

    assert "Credential=AKIDWORK/" in server.received[0].headers["authorization"]
    assert "/ap-south-1/" in server.received[0].headers["authorization"]


async def test_a_bearer_key_of_the_environment_is_used_and_shown(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, {"AWS_BEARER_TOKEN_BEDROCK": "made-up", "AWS_REGION": "us-east-1"})

    async with aws_client(server.url) as client:
        assert client.auth_scheme == "bearer"
        assert await client.credentials_found()
        await client.send(ASK)

    assert server.received[0].headers["authorization"] == "Bearer made-up"


async def test_session_tokens_are_sent_along(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, KEYS | {"AWS_SESSION_TOKEN": "token", "AWS_REGION": "us-east-1"})

    async with aws_client(server.url) as client:
        assert client.auth_scheme == "sigv4"
        await client.send(ASK)

    assert server.received[0].headers["x-amz-security-token"] == "token"


async def test_credentials_that_appear_later_are_found(server: ScriptedServer, aws: Path) -> None:
    async with aws_client(server.url, region="us-east-1") as client:
        (aws / "credentials").write_text("[default]\naws_access_key_id = AKIDLATE\naws_secret_access_key = s\n")
        assert await client.credentials_found()
        await client.send(ASK)

    assert "Credential=AKIDLATE/" in server.received[0].headers["authorization"]


async def test_a_credential_process_that_fails_is_refused_access(server: ScriptedServer, aws: Path) -> None:
    (aws / "config").write_text("[default]\nregion = us-east-1\ncredential_process = false\n")

    async with aws_client(server.url) as client:
        assert not await client.credentials_found()
        error = await refusal(client)

    assert error.code.name == "access_denied"
    assert error.aws_code == "CredentialRetrievalError"


async def test_a_metadata_service_that_hangs_holds_up_neither_the_start_nor_the_probe(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.only_says(asyncio.Event())
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "60")

    async with patience(), aws_client(None, region="us-east-1") as client:
        assert not await client.credentials_found()


async def test_a_role_that_may_not_be_assumed_is_refused_access(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, aws: Path
) -> None:
    (aws / "config").write_text(
        "[default]\nregion = us-east-1\n[profile role]\nregion = us-east-1\nsource_profile = base\n"
        "role_arn = arn:aws:iam::123456789012:role/r\n"
    )
    (aws / "credentials").write_text("[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    server.only_says(
        whole(
            403,
            b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>arn:aws:iam::123456789012:user/x may not"
            b"</Message></Error></ErrorResponse>",
            {"Content-Type": "text/xml"},
        )
    )

    async with aws_client("http://127.0.0.1:9", profile="role") as client:
        error = await refusal(client)

    assert error.code.name == "access_denied"
    assert "123456789012" not in f"{error.message}{error.aws_message}"


async def test_an_expired_token_is_refused_access_with_awss_own_sentence(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, KEYS | {"AWS_SESSION_TOKEN": "old", "AWS_REGION": "us-east-1"})
    server.only_says(
        whole(
            403,
            b'{"message":"The security token included in the request is expired"}',
            {"x-amzn-ErrorType": "ExpiredTokenException"},
        )
    )

    async with aws_client(server.url) as client:
        error = await refusal(client)

    assert (error.code.name, error.retried) == ("access_denied", False)
    assert error.message == "The security token included in the request is expired"


async def test_credentials_that_were_refused_are_looked_for_again() -> None:
    found = iter(["first", "second"])
    credentials = CredentialChain(ask_again_s=0)

    async def load() -> str:
        return next(found)

    credentials.load = load
    assert [await credentials.find(), await credentials.find()] == ["first", "first"]
    credentials.forget()
    assert await credentials.find() == "second"


async def test_no_credentials_is_believed_for_a_while() -> None:
    asked = 0
    credentials = CredentialChain(ask_again_s=60)

    async def load() -> None:
        nonlocal asked
        asked += 1

    credentials.load = load
    await asyncio.gather(*(credentials.find() for _ in range(10)))
    credentials.forget()
    assert await credentials.find() is None
    assert asked == 1


async def test_the_control_plane_is_where_the_settings_say_and_beside_a_loopback_upstream(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, KEYS | {"AWS_REGION": "us-east-1"})

    async with aws_client(server.url) as client:
        await client.list_models()
    async with aws_client("http://127.0.0.1:9", bedrock_control_endpoint_url=server.url) as client:
        await client.list_models()

    assert [received.target for received in server.received] == ["/foundation-models?byOutputModality=TEXT"] * 2


HOSTILE = {
    "AWS_BEARER_TOKEN_BEDROCK": "leftover",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:9",
    "AWS_PROFILE": "nobody",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/nowhere/ca.pem",
    "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem",
    "AWS_AUTH_SCHEME_PREFERENCE": "httpBearerAuth",
    "AWS_DEFAULTS_MODE": "auto",
    "AWS_MAX_ATTEMPTS": "9",
    "AWS_RETRY_MODE": "adaptive",
    "AWS_EC2_METADATA_DISABLED": "false",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}


async def test_nothing_in_the_environment_disturbs_the_local_bedrock(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, aws: Path
) -> None:
    set_all(monkeypatch, HOSTILE | {name.lower(): value for name, value in HOSTILE.items() if "PROXY" in name})
    (aws / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:9\nregion = eu-west-1\n")

    async with open_client(Endpoint.local(server.url), max_streams=2, connect_timeout=1) as client:
        assert (client.region, client.auth_scheme) == ("us-east-1", "sigv4")
        assert await client.credentials_found()
        await client.send(ASK)
        server.only_says(whole(503, b"{}"))
        await refusal(client)

    assert len(server.received) == 2
    assert "Credential=local/" in server.received[0].headers["authorization"]


async def test_a_tls_address_that_speaks_none_is_unavailable(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, KEYS | {"AWS_REGION": "us-east-1"})

    async with aws_client(server.url.replace("http:", "https:")) as client:
        error = await refusal(client)

    assert error.code.name == "upstream_unavailable"


async def test_a_proxy_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, KEYS | {"AWS_REGION": "us-east-1", "HTTP_PROXY": "http://127.0.0.1:9"})

    async with aws_client("http://bedrock.example") as client:
        error = await refusal(client)

    assert (error.code.name, error.aws_code) == ("upstream_unavailable", "ProxyConnectionError")
