from collections.abc import Iterator

import pytest

from tests.streams.servers import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A valkey-server of the test's own."""
    server = Server()
    server.start()
    try:
        yield server
    finally:
        server.remove()
