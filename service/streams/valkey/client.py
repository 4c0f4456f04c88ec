"""Connections to the server, with its errors converted to ours."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from service.settings import SettingsError
from service.streams.store import Unavailable

COMMANDS = 4  # connections for commands: waiting for one costs less time than a further connection

Arg = str | bytes | int


class ValkeyClient:
    """A client of one address. Commands share a few connections; blocking commands need a client of their own."""

    def __init__(self, url: str, *, connections: int, timeout_s: float) -> None:
        self._pool = _pool(url, connections, timeout_s)
        self._redis = Redis(connection_pool=self._pool)
        self._command: Callable[..., Awaitable[Any]] = self._redis.execute_command
        self._hashes: dict[str, bytes] = {}

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
        await self._pool.disconnect()

    async def do(self, *command: Arg) -> Any:
        """Run one command.

        Raises:
            Unavailable: the server did not respond, or responded with an error.
        """
        try:
            return await self._command(*command)
        except (RedisError, OSError) as error:
            raise Unavailable(str(error)) from error

    async def run(self, script: str, keys: Sequence[str] = (), args: Sequence[Arg] = ()) -> Any:
        """Run a script; load it first if the server does not have it."""
        try:
            if digest := self._hashes.get(script):
                return await self._command("EVALSHA", digest, len(keys), *keys, *args)
        except NoScriptError:
            pass  # the server was restarted
        except (RedisError, OSError) as error:
            raise Unavailable(str(error)) from error
        self._hashes[script] = await self.do("SCRIPT", "LOAD", script)
        return await self.do("EVALSHA", self._hashes[script], len(keys), *keys, *args)


def refused(answer: Any) -> bool:
    """Whether the server refused an entry because its id is not greater than the last.

    Raises:
        Unavailable: the server refused it for another reason.
    """
    if not isinstance(answer, ResponseError):
        return False
    if "equal or smaller" in str(answer):
        return True
    raise Unavailable(str(answer)) from answer


def _pool(url: str, connections: int, timeout_s: float) -> BlockingConnectionPool:
    scheme, _, rest = url.partition("://")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    try:
        return BlockingConnectionPool.from_url(
            f"{scheme}://{rest}",
            max_connections=connections,
            timeout=timeout_s,
            # Each call has our timeout. redis-py's would put each send into `asyncio.wait_for`, which costs a task, and
            # on Python 3.11 can swallow a cancellation, so that the journal never closes (redis-py 8.1, 2026-11-24).
            socket_timeout=None,
            socket_connect_timeout=timeout_s,
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # the journal retries
        )
    except ValueError as error:
        raise SettingsError([f"ARTESIAN_JOURNAL_URL: {error}"]) from error
