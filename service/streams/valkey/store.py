"""Valkey (or Redis) as a durable journal's store: one server-side stream a generation, one script a commit."""

from collections.abc import Collection, Sequence
from hashlib import sha256

from service.streams.journal import IdempotencyKey
from service.streams.store import Batch, Bound, Lease, News, Outcome, Stored, StoredState
from service.streams.valkey import scripts
from service.streams.valkey.client import COMMANDS, Arg, ValkeyClient, refused
from service.streams.valkey.follower import ValkeyFollower
from service.streams.valkey.scripts import calls, events, readers, record

_TIMEOUT_S = 1.0  # to connect, or to get a free connection
_PAGE = 1000  # entries read at once, so that a long stream does not block the others
_SWEEP = 1000  # streams that a sweep returns, as many as a process runs (`MAX_STREAMS`); the next one returns the rest
_CALLS_S = 60.0  # expiry of the calls to a process that does not read them

_ENDED = [scripts.RUNNING, scripts.UNSTORED]  # the keys that change with a stream's end

_Entries = list[tuple[bytes, dict[bytes, bytes]]]


class ValkeyStore:
    """One server. `process` is the name of this process among those that share it."""

    name = "valkey"

    def __init__(self, url: str, process: str, *, lease_s: float, ttl_s: float) -> None:
        self._process = process
        self._lease_ms = round(lease_s * 1000)
        self._ttl_ms = round(ttl_s * 1000)
        self._keep_ms = self._lease_ms + self._ttl_ms
        self._client = ValkeyClient(url, connections=COMMANDS, timeout_s=_TIMEOUT_S)
        self._follower = ValkeyFollower(url, process)

    async def open(self) -> None:
        """Check that the server responds and can be written to."""
        name = calls(self._process)
        await self._client.do("XADD", name, "MAXLEN", "~", 100, "*", "opened", "")
        await self._client.do("PEXPIRE", name, self._calls_ms)
        self._follower.reset()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._follower.close()

    async def begin(
        self, stream_id: str, content: bytes, request: bytes, key: IdempotencyKey | None, *, archived: bool = False
    ) -> Bound | None:
        """Create a stream."""
        keys = [record(stream_id), events(stream_id), scripts.RUNNING]
        args: list[Arg] = [stream_id, self._process, self._lease_ms, self._keep_ms, content, request, int(archived)]
        if key:
            keys.append(_binding(key))
            args.append(f"{key.fingerprint} {stream_id}")
        return _bound(await self._client.run(scripts.BEGIN, keys, args))

    async def bound(self, key: IdempotencyKey) -> Bound | None:
        """Return the stream that a key is bound to."""
        return _bound(await self._client.do("GET", _binding(key)))

    async def write(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Store batches: one script for all, and one for those that end their streams."""
        outcomes: dict[str, Outcome] = {}
        if going := [batch for batch in batches if not batch.last]:
            keys = [events(batch.stream_id) for batch in going]
            args: list[Arg] = [part for batch in going for part in (_entry_id(batch), batch.content)]
            outcomes |= await self._outcomes(going, await self._client.run(scripts.WRITE, keys, args))
        if ending := [batch for batch in batches if batch.last]:
            args = [self._ttl_ms]
            for batch in ending:
                args += (batch.stream_id, _entry_id(batch), batch.content)
            outcomes |= await self._outcomes(ending, await self._client.run(scripts.FINISH, _ENDED, args))
        return [outcomes[batch.stream_id] for batch in batches]

    async def read(self, stream_id: str) -> Stored | None:
        """Return a stream, page by page."""
        content, epoch, ended = await self._client.do("HMGET", record(stream_id), "content", "epoch", "ended")
        batches: list[tuple[int, bytes]] = []
        position = "0-0"
        page: _Entries
        while page := await self._client.do("XRANGE", events(stream_id), f"({position}", "+", "COUNT", _PAGE):
            batches += [(int(name.partition(b"-")[2]), fields[b"batch"]) for name, fields in page if b"batch" in fields]
            position = page[-1][0].decode()
        if content is None or position == "0-0":
            return None
        return Stored(content, int(epoch), batches, position, ended is not None)

    async def request(self, stream_id: str) -> bytes | None:
        """Return the request of a stream that has not ended."""
        request: bytes | None = await self._client.do("HGET", record(stream_id), "request")
        return request

    async def sample(self) -> tuple[str, bytes] | None:
        """Return the id and the record of a running stream."""
        for name in await self._client.do("ZRANGE", scripts.RUNNING, -1, -1):
            content = await self._client.do("HGET", record(name.decode()), "content")
            return (name.decode(), content) if content else None
        return None

    async def follow(self, stream_id: str, position: str) -> None:
        """Report what is added after `position`."""
        self._follower.follow(stream_id, position)
        await self._client.do("XADD", calls(self._process), "MAXLEN", "~", 100, "*", "follow", "")

    def unfollow(self, stream_id: str) -> None:
        """Report a stream no longer."""
        self._follower.unfollow(stream_id)

    async def news(self) -> Sequence[News]:
        """Wait for news."""
        return await self._follower.news()

    async def look(self, stream_ids: Sequence[str], *, present: bool) -> Sequence[StoredState]:
        """Return the states of streams."""
        answers = await self._client.run(
            scripts.LOOK, args=[self._process, self._lease_ms if present else 0, *stream_ids]
        )
        return [StoredState[answer.decode()] for answer in answers]

    async def leave(self, stream_id: str) -> None:
        """Note that this process has no readers of a stream."""
        await self._client.do("ZREM", readers(stream_id), self._process)

    async def is_read_elsewhere(self, stream_id: str) -> bool:
        """Whether another process has readers."""
        return bool(await self._client.run(scripts.IS_READ, [readers(stream_id)], [self._process]))

    async def renew(self, leases: Sequence[Lease]) -> Sequence[Outcome]:
        """Renew leases of streams that have not been taken over and have lost nothing."""
        outcomes: list[Outcome] = []
        for page in range(0, len(leases), _PAGE):
            args: list[Arg] = [self._lease_ms, self._keep_ms]
            for lease in leases[page : page + _PAGE]:
                args += (lease.stream_id, lease.epoch, f"{lease.epoch}-{lease.mark}")
            answers = await self._client.run(scripts.RENEW, [scripts.RUNNING], args)
            outcomes += [Outcome[answer.decode()] for answer in answers]
        return outcomes

    async def sweep(self) -> Sequence[tuple[str, StoredState]]:
        """Return streams without a producer, and check that calls to this process can be written."""
        keys = [scripts.RUNNING, calls(self._process)]
        found = await self._client.run(scripts.SWEEP, keys, [_SWEEP, self._calls_ms])
        return [
            (name.decode(), StoredState.EXPIRED if float(lease) else StoredState.RELEASED)
            for name, lease in zip(found[::2], found[1::2], strict=True)
        ]

    async def take_over(self, stream_id: str, *, released_only: bool) -> int | None:
        """Take a stream without a producer."""
        keys = [record(stream_id), events(stream_id), scripts.RUNNING]
        args: list[Arg] = [stream_id, self._process, self._lease_ms, self._keep_ms, int(released_only)]
        epoch: int | None = await self._client.run(scripts.TAKE_OVER, keys, args)
        return epoch

    async def release(self, stream_id: str, epoch: int) -> None:
        """Release a lease."""
        keys = [record(stream_id), events(stream_id), scripts.RUNNING]
        await self._client.run(scripts.RELEASE, keys, [stream_id, epoch, f"{epoch}-{scripts.LAST_SEQUENCE}"])

    async def request_cancel(self, stream_id: str) -> None:
        """Note that a stream is cancelled, and notify its producer."""
        await self._client.run(scripts.CANCEL, [record(stream_id)], [stream_id, calls("")])

    async def unstored(self) -> Collection[str]:
        """Return the ids of finished streams that are not noted as stored."""
        return [name.decode() for name in await self._client.do("SMEMBERS", scripts.UNSTORED)]

    async def stored(self, stream_id: str) -> None:
        """Let a stream expire."""
        keys = [record(stream_id), events(stream_id), scripts.UNSTORED]
        await self._client.run(scripts.STORED, keys, [stream_id, self._keep_ms])

    async def unbind(self, key: IdempotencyKey) -> None:
        """Free a key."""
        await self._client.run(scripts.UNBIND, [_binding(key)], [f"{key.fingerprint} "])

    async def purge(self, stream_id: str, epoch: int | None = None) -> None:
        """Delete a stream."""
        keys = [record(stream_id), events(stream_id), readers(stream_id), *_ENDED]
        await self._client.run(scripts.PURGE, keys, [stream_id, "" if epoch is None else epoch])

    @property
    def _calls_ms(self) -> int:
        return max(round(_CALLS_S * 1000), 10 * self._lease_ms)

    async def _outcomes(self, batches: Sequence[Batch], answers: Sequence[object]) -> dict[str, Outcome]:
        return {
            batch.stream_id: await self._outcome(batch, answer) for batch, answer in zip(batches, answers, strict=True)
        }

    async def _outcome(self, batch: Batch, answer: object) -> Outcome:
        if not refused(answer):
            return Outcome.GONE if answer is None else Outcome.KEPT
        # An earlier attempt stored it but its response was lost, or another process has written since.
        name = _entry_id(batch)
        there = await self._client.do("XRANGE", events(batch.stream_id), name, name)
        return Outcome.KEPT if there else Outcome.REPLACED


def _entry_id(batch: Batch) -> str:
    return f"{batch.epoch}-{batch.first}"


def _bound(value: bytes | None) -> Bound | None:
    if value is None:
        return None
    fingerprint, _, stream_id = value.decode().rpartition(" ")
    return Bound(stream_id, fingerprint)


def _binding(key: IdempotencyKey) -> str:
    return scripts.binding(sha256(f"{key.caller}\0{key.key}".encode()).hexdigest())
