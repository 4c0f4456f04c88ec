"""The blocking connection on which a process waits for news of all followed streams and for calls to itself."""

import asyncio
from collections.abc import Sequence

from service.streams.store import Appended, CancelRequested, News, Released, Unavailable
from service.streams.valkey.client import ValkeyClient
from service.streams.valkey.scripts import calls, events

BLOCK_MS = 1000  # then the command is repeated, so that a suspended server is noticed without any writes
TICK_S = 0.004  # between two responses, so that a response of a busy server has many events
_COUNT = 1000  # entries of one stream in one response

_Entries = list[tuple[bytes, dict[bytes, bytes]]]


class ValkeyFollower:
    """Position of this process in each stream that it follows."""

    def __init__(self, url: str, process: str) -> None:
        self._client = ValkeyClient(url, connections=1, timeout_s=BLOCK_MS / 1000)
        self._calls = calls(process)
        self._positions: dict[str, str] = {self._calls: "0-0"}
        self._last = float("-inf")

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    def reset(self) -> None:
        """Read all existing calls to this process: a restarted server may count them from the start."""
        self._positions[self._calls] = "0-0"

    def follow(self, stream_id: str, position: str) -> None:
        """Report what is added after `position`, from the next read on."""
        self._positions[events(stream_id)] = position

    def unfollow(self, stream_id: str) -> None:
        """Report a stream no longer."""
        self._positions.pop(events(stream_id), None)

    async def news(self) -> Sequence[News]:
        """Wait for news, at most one second."""
        loop = asyncio.get_running_loop()
        if (pause := self._last + TICK_S - loop.time()) > 0:
            await asyncio.sleep(pause)
        names = list(self._positions)
        places = [self._positions[name] for name in names]
        answer = await self._read(names, places)
        self._last = loop.time()
        news: list[News] = []
        for name, entries in answer or ():
            news += self._apply(name.decode(), entries)
        return news

    async def _read(self, names: list[str], places: list[str]) -> list[tuple[bytes, _Entries]] | None:
        read = self._client.do("XREAD", "COUNT", _COUNT, "BLOCK", BLOCK_MS, "STREAMS", *names, *places)
        try:
            async with asyncio.timeout(2 * BLOCK_MS / 1000):
                answer: list[tuple[bytes, _Entries]] | None = await read
        except TimeoutError as error:
            raise Unavailable("The server does not respond.") from error
        return answer

    def _apply(self, name: str, entries: _Entries) -> list[News]:
        if name not in self._positions:
            return []  # it was unfollowed during the read
        self._positions[name] = entries[-1][0].decode()
        if name == self._calls:
            return [CancelRequested(fields[b"cancel"].decode()) for _, fields in entries if b"cancel" in fields]
        stream_id = name.removeprefix(events(""))
        return [item for entry in entries if (item := _news(stream_id, *entry))]


def _news(stream_id: str, entry_id: bytes, fields: dict[bytes, bytes]) -> News | None:
    if (batch := fields.get(b"batch")) is not None:
        return Appended(stream_id, int(entry_id.partition(b"-")[2]), batch)
    return Released(stream_id) if b"released" in fields else None
