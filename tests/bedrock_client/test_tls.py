"""Bedrock is spoken to over TLS: what comes is handed on as it comes, and the connection is kept, as without it."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.bedrock.client import BedrockClient, Endpoint, SdkCall, open_client
from service.errors import UpstreamError
from service.settings import Settings
from tests.bedrock_client.scripted import (
    CLOSE,
    LAST_CHUNK,
    RESET,
    STREAM,
    Ending,
    ScriptedServer,
    piece,
    scripted_server,
)
from tests.waiting import patience

CALL = SdkCall("ConverseStream", "anthropic.claude-haiku-4-5-20251001-v1:0", b"{}")


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for this machine's address, in `folder`, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "certificate.pem").write_bytes(made.public_bytes(encoding))
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ScriptedServer]:
    async with scripted_server(certificate(tmp_path)) as scripted:
        yield scripted


@pytest.fixture
async def client(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BedrockClient]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    settings = Settings(backend="aws", bedrock_endpoint_url=server.url, region="us-east-1")
    async with open_client(Endpoint.aws(settings), max_streams=2, connect_timeout=2) as one:
        yield one


async def follow(client: BedrockClient, came: "asyncio.Queue[bytes]") -> None:
    """Read one answer to its end."""
    response = await client.send(CALL)
    try:
        await response.follow(came.put_nowait)
    finally:
        response.close()


async def test_each_piece_comes_when_it_is_sent_and_the_connection_is_kept(
    server: ScriptedServer, client: BedrockClient
) -> None:
    second = asyncio.Event()
    server.says(STREAM, piece(b"one"), second, piece(b"two"), LAST_CHUNK)
    server.says(STREAM + piece(b"three") + LAST_CHUNK)
    came = asyncio.Queue[bytes]()

    async with patience():
        following = asyncio.ensure_future(follow(client, came))
        assert await came.get() == b"one"
        second.set()
        assert await came.get() == b"two"
        await following
        await follow(client, came)

    assert came.get_nowait() == b"three"
    assert server.opened == 1


@pytest.mark.parametrize("how", [CLOSE, RESET])
async def test_a_cut_is_an_end_for_whoever_decodes(server: ScriptedServer, client: BedrockClient, how: Ending) -> None:
    server.says(STREAM, piece(b"one"), how)
    came = asyncio.Queue[bytes]()

    async with patience():
        await follow(client, came)

    assert came.get_nowait() == b"one"


async def test_who_leaves_closes_the_connection(server: ScriptedServer, client: BedrockClient) -> None:
    server.says(STREAM, piece(b"one"), asyncio.Event())
    came = asyncio.Queue[bytes]()

    async with patience():
        following = asyncio.ensure_future(follow(client, came))
        await came.get()
        following.cancel()
        await server.until_open(0)


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    settings = Settings(backend="aws", bedrock_endpoint_url=server.url, region="us-east-1")
    async with open_client(Endpoint.aws(settings), max_streams=2, connect_timeout=2) as client:
        with pytest.raises(UpstreamError, match="TLS"):
            await client.send(CALL)
