"""A local Bedrock in another thread for boto3, and one in the event loop of the test."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from queue import Queue
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from starlette.applications import Starlette

from service.local import create_local_app, serve_local
from tests.local.bedrock import Bedrock, Local


async def _serve(addresses: "Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    stop = asyncio.Event()
    async with serve_local(rate=0, faults=True) as url:
        addresses.put((url, asyncio.get_running_loop(), stop))
        await stop.wait()


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The address of a local Bedrock that runs in another thread, without a rate."""
    addresses: Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(addresses)), daemon=True)
    thread.start()
    address, loop, stop = addresses.get(timeout=10)
    yield address
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")


@pytest.fixture(scope="session")
def bedrock(url: str, session: boto3.Session) -> Iterator[Bedrock]:
    """boto3's clients of that local Bedrock; `bedrock.fault` injects faults."""
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=20)
    runtime: Any = session.client("bedrock-runtime", endpoint_url=url, config=config)
    control: Any = session.client("bedrock", endpoint_url=url, config=config)
    yield Bedrock(url, runtime, control)
    runtime.close()
    control.close()


@pytest.fixture
def app() -> Starlette:
    return create_local_app(rate=0, faults=True)


@pytest.fixture
async def local(app: Starlette) -> AsyncIterator[Local]:
    """A local Bedrock in the event loop of the test, for tests that wait for events."""
    async with (
        serve_local(app=app) as address,
        httpx.AsyncClient(base_url=address, timeout=10, trust_env=False) as http,
    ):
        yield Local(address, app.state.calls, http)
