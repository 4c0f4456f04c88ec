"""Stores replies: follows each stream to its end, and settles what a dead process left unfinished."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import time
from typing import Protocol

from service.answer import Answer
from service.conversations.faults import DatabaseUnavailable, Outage
from service.conversations.sends import Sends
from service.conversations.unstored import Unstored
from service.conversations.values import Json, Unfinished
from service.deltas import Done, Event, Failed
from service.errors import CODES, ServiceError

logger = logging.getLogger(__name__)

_CATCH_UP_S = 2.0  # to store the end of a stream
_POLL_S = 0.05  # whether another process has stored it
_LONGEST_PAUSE_S = 30.0  # between two attempts to renew claims while the database is unavailable


class Log(Protocol):
    """A stream's log, as far as a reply needs it."""

    @property
    def stream_id(self) -> str:
        """The stream's id."""

    @property
    def end(self) -> Done | Failed | None:
        """The last event, once it is published."""

    def take(self, after: int) -> Sequence[Event]:
        """Return the next events after number `after`, or none."""

    async def wait(self, after: int) -> None:
        """Wait for more than `after` events."""


Find = Callable[[str], Awaitable[Log | None]]


class _Reply:
    """A reply that grows."""

    def __init__(self, log: Log) -> None:
        self.follower: asyncio.Task[None] | None = None
        self.stream_id = log.stream_id
        self._log = log
        self._answer = Answer()
        self._seen = 0
        self._stored = 0

    @property
    def content(self) -> list[Json]:
        """The content so far."""
        return self._answer.content

    @property
    def ended(self) -> bool:
        """Whether the log has ended, even if the end has not been read yet."""
        return self._log.end is not None

    async def end(self) -> Done | Failed:
        """Follow the stream to its end; a stream that is purged meanwhile was interrupted."""
        with suppress(ServiceError):
            while self._answer.end is None:
                if events := self._log.take(self._seen):
                    self._answer.add(events)
                    self._seen += len(events)
                else:
                    await self._log.wait(self._seen)
        return self._answer.end or interrupted(partial=bool(self.content))

    def fresh(self) -> list[Json] | None:
        """Return the content if it has changed since the last call, else None."""
        if self._stored == self._seen:
            return None
        self._stored = self._seen
        return self.content


class ReplyRecorder:
    """Stores the replies of one process.

    `durable`: streams outlive the process, so that their text need not be stored before their end.
    """

    def __init__(
        self,
        sends: Sends,
        tasks: asyncio.TaskGroup,
        find: Find,
        unstored: Unstored,
        *,
        lease_s: float,
        durable: bool,
    ) -> None:
        self._sends = sends
        self._unstored = unstored
        self._tasks = tasks
        self._find = find
        self._lease_s = lease_s
        self._durable = durable
        self._replies: dict[str, _Reply] = {}
        self._busy = asyncio.Event()
        self._outage = Outage(
            "The claims of running replies cannot be renewed",
            "The claims of running replies are renewed again",
            first_pause_s=lease_s / 3,
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        self._renewing = tasks.create_task(self._renew())

    def follow(self, reply_id: str, log: Log) -> None:
        """Store a stream as a reply when it has ended."""
        if reply_id in self._replies:
            return
        reply = self._replies[reply_id] = _Reply(log)
        self._busy.set()
        reply.follower = self._tasks.create_task(self._follow(reply_id, reply), name=f"reply {reply_id}")

    def so_far(self, reply_id: str) -> list[Json] | None:
        """Return the content so far of a reply that this process follows."""
        reply = self._replies.get(reply_id)
        return reply.content if reply else None

    async def settle_all(self) -> None:
        """Settle the replies that other processes left, when their claims expire.

        Raises:
            DatabaseUnavailable: 503.
        """
        unreadable: set[str] = set()
        while left := [
            each for each in await self._sends.unfinished() if each.reply_id not in unreadable | self._replies.keys()
        ]:
            for each in left:
                try:
                    await self.settle(each)
                except DatabaseUnavailable:
                    raise
                except ServiceError as error:  # its stream cannot be read; the others can
                    unreadable.add(each.reply_id)
                    where = (each.reply_id, each.conversation_id, error.message)
                    logger.warning("A reply cannot be settled: table messages, id %s, conversation %s: %s", *where)
            await asyncio.sleep(max(0.05, min(self._remaining_s(each) for each in left)))

    async def settle(self, left: Unfinished) -> None:
        """Settle a reply whose claim has expired: follow its stream if it still exists, else mark it interrupted."""
        if left.reply_id in self._replies or self._remaining_s(left) > 0:
            return
        if not await self._sends.take_over(left.reply_id, self._lease_s):
            return
        if left.stream_id is None:  # the process died before the user's message was stored
            await self._sends.release(left.reply_id)
        elif log := await self._find(left.stream_id):
            self.follow(left.reply_id, log)
        else:
            content = await self._sends.stored_content(left.reply_id)
            await self._sends.finish(left.reply_id, interrupted(partial=bool(content)), None)

    async def catch_up(self, left: Unfinished) -> bool:
        """Wait until a finished reply is stored, here or elsewhere. False: it is still running."""
        if reply := self._replies.get(left.reply_id):
            if reply.ended and reply.follower:
                await asyncio.wait({reply.follower}, timeout=_CATCH_UP_S)
            return reply.ended
        await self.settle(left)
        if left.reply_id in self._replies:
            return False
        log = await self._find(left.stream_id) if left.stream_id else None
        if self._remaining_s(left) > 0 and not (log and log.end):
            return False
        return await self._wait_for_other_process(left)

    async def has_ended(self, left: Unfinished) -> bool:
        """Whether the stream of an unfinished reply has ended, so that the reply only has to be stored."""
        if reply := self._replies.get(left.reply_id):
            return reply.ended
        log = await self._find(left.stream_id) if left.stream_id else None
        return log is not None and log.end is not None

    async def _wait_for_other_process(self, left: Unfinished) -> bool:
        """Wait shortly for another process to store the end."""
        for _ in range(int(_CATCH_UP_S / _POLL_S)):
            now = await self._sends.unfinished_in(left.conversation_id)
            if not now or now.reply_id != left.reply_id:
                return True
            await asyncio.sleep(_POLL_S)
        return False

    async def close(self, deadline: float) -> None:
        """Store replies that have ended; other processes settle those that continue elsewhere."""
        self._renewing.cancel()
        followers = {reply.follower for reply in self._replies.values() if reply.follower}
        if ending := {reply.follower for reply in self._replies.values() if reply.follower and reply.ended}:
            await asyncio.wait(ending, timeout=deadline - asyncio.get_running_loop().time())
        for follower in followers:
            follower.cancel()
        if self._replies:
            with suppress(ServiceError):
                await self._sends.renew({reply_id: reply.fresh() for reply_id, reply in self._replies.items()}, 0)

    async def _follow(self, reply_id: str, reply: _Reply) -> None:
        try:
            end = await reply.end()
        except Exception:  # the outermost handler of one reply: its claim expires, and it is settled as interrupted
            logger.exception("A reply cannot be followed", extra={"reply_id": reply_id})
            del self._replies[reply_id]
            await self._unstored.abandon(reply.stream_id)
            return
        stored = self._unstored.add(reply.stream_id, lambda: self._store(reply_id, reply, end))
        try:
            await stored.wait()
        finally:
            self._replies.pop(reply_id, None)

    async def _store(self, reply_id: str, reply: _Reply, end: Done | Failed) -> None:
        model_id = end.metrics.model_id if isinstance(end, Done) else None
        await self._sends.finish(reply_id, end, reply.content, model_id)

    async def _renew(self) -> None:
        """Renew the claims of running replies, for ever. One that expires does no harm before its reply ends."""
        pause_s = self._lease_s / 3
        while True:
            await self._busy.wait()
            await asyncio.sleep(pause_s)
            pause_s = self._lease_s / 3
            if not self._replies:
                self._busy.clear()
                continue
            contents = {reply_id: None if self._durable else reply.fresh() for reply_id, reply in self._replies.items()}
            try:
                await self._sends.renew(contents, self._lease_s)
                self._outage.over()
            except ServiceError as error:
                pause_s = self._outage.failed(error)
            except Exception:  # the outermost handler: one reply that cannot be stored must not end the service
                if not self._outage.lasts:
                    logger.exception("The claims of running replies cannot be renewed")
                pause_s = self._outage.failed(ServiceError("internal"))

    def _remaining_s(self, left: Unfinished) -> float:
        """Return the seconds for which a claim is still valid."""
        return left.claimed_until_ms / 1000 - time()


def interrupted(*, partial: bool) -> Failed:
    """Make the end of a reply whose process died."""
    code = CODES["interrupted"]
    return Failed(code.name, code.sentence, code.status, code.retryable, partial)
