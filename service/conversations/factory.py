"""Opens the database: heavy modules are loaded on first use, and an outage does not prevent the start."""

import asyncio
import importlib
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from service.conversations.faults import Outage
from service.conversations.unstored import Unstored
from service.encryption import Seal, open_seal
from service.errors import ServiceError
from service.settings import Settings
from service.streams.journal import Journal
from service.streams.log import StreamLog

if TYPE_CHECKING:
    from service.conversations.database import Database
    from service.conversations.reply_recorder import ReplyRecorder
    from service.conversations.sends import Sends
    from service.conversations.store import ConversationStore

logger = logging.getLogger(__name__)

_IN_MEMORY = frozenset({"sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"})
_UPGRADE_WAIT_S = 15.0  # how long a request waits for an upgrade of the tables
_CHECK_S = 2.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0  # between two attempts to upgrade a database that is unavailable
_UPGRADE_AGAIN_S = 5.0  # between two upgrades if tables are still missing
_CLOSE_S = 3.0  # to store what ends during a shutdown


class OpenConversations(NamedTuple):
    """The opened conversations."""

    database: "Database"
    seal: Seal
    store: "ConversationStore"
    sends: "Sends"
    recorder: "ReplyRecorder"


class Conversations:
    """The database for the lifespan. A separate process upgrades the tables while the service already responds."""

    def __init__(self, settings: Settings, tasks: asyncio.TaskGroup, journal: Journal) -> None:
        self._settings = settings
        self._tasks = tasks
        self._journal = journal
        self.unstored = Unstored(journal)
        self._writer = tasks.create_task(self.unstored.write())
        self._missing = asyncio.Event()
        self._opening = asyncio.Lock()
        self._opened: OpenConversations | None = None
        self._tried = asyncio.Event()
        self._unusable: str | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self.name = settings.database_url.partition("+")[0]
        if settings.database_url in _IN_MEMORY:
            self._tried.set()
        else:
            self._upkeep = tasks.create_task(self._keep_up())

    async def open(self) -> OpenConversations:
        """Return the store and what belongs to it; open it on first use.

        Raises:
            ServiceError: 503, the database is unavailable.
        """
        try:
            async with asyncio.timeout(_UPGRADE_WAIT_S):
                await self._tried.wait()
        except TimeoutError:
            raise ServiceError("overloaded", "The database is still being prepared.", retry_after=5) from None
        if self._unusable:
            raise ServiceError("overloaded", "The database is unavailable. Retry in a few seconds.", retry_after=5)
        async with self._opening:
            if self._opened is None:
                self._opened = await self._load()
        return self._opened

    async def check(self) -> bool:
        """Whether the database responds. For a database that is not in use yet, the result of the upgrade."""
        if self._unusable or not self._opened:
            return not self._unusable
        try:
            async with asyncio.timeout(_CHECK_S):
                await self._opened.database.check()
        except (ServiceError, TimeoutError):
            return False
        return True

    async def adopt(self, log: StreamLog) -> None:
        """Store a finished stream of another process as a reply, if it is one."""
        opened = await self.open()
        if reply_id := await opened.sends.reply_of(log.stream_id):
            opened.recorder.follow(reply_id, log)
        else:
            await self._journal.stored(log.stream_id)

    async def close(self) -> None:
        """Store what is not stored yet, and close the connections."""
        deadline = asyncio.get_running_loop().time() + _CLOSE_S
        self.unstored.shorten_pauses()
        if opened := self._opened:
            await opened.recorder.close(deadline)
        await self.unstored.close(deadline)
        self._writer.cancel()
        if self._upkeep:
            self._upkeep.cancel()  # only now: storing may have to wait for the upgrade
        if self._opened and not opened:  # it was opened to store something
            await self._opened.recorder.close(deadline)
        if self._opened:
            await self._opened.database.close()

    async def _load(self) -> OpenConversations:
        # In a thread: importing takes a quarter of a second, which would delay running streams.
        for name in ("database", "store", "sends", "reply_recorder"):
            await asyncio.to_thread(importlib.import_module, f"service.conversations.{name}")
        from service.conversations.database import Database
        from service.conversations.reply_recorder import ReplyRecorder
        from service.conversations.sends import Sends
        from service.conversations.store import ConversationStore

        database = Database(self._settings.database_url, on_missing=self._missing.set)
        if self._settings.database_url in _IN_MEMORY:
            await asyncio.to_thread(importlib.import_module, "service.conversations.migrate")
            from service.conversations.migrate import upgrade

            await upgrade(database)
        seal = open_seal(self._settings.encryption_key)
        store = ConversationStore(database, seal)
        sends = Sends(store)
        recorder = ReplyRecorder(
            sends,
            self._tasks,
            self._journal.find,
            self.unstored,
            lease_s=self._settings.lease,
            durable=self._journal.shared,
        )
        return OpenConversations(database, seal, store, sends, recorder)

    async def _keep_up(self) -> None:
        """Upgrade the tables until that succeeds, settle unfinished replies, and repeat if tables are missing."""
        now, earliest = asyncio.get_running_loop().time, 0.0
        while True:
            found = await self._upgraded()
            self._unusable = None
            self._tried.set()
            if found["unfinished"] or self.name != "sqlite":  # `/readyz` reports whether a database server responds
                await self._settle()
            self._missing.clear()
            await self._missing.wait()
            await asyncio.sleep(earliest - now())
            earliest = now() + _UPGRADE_AGAIN_S

    async def _upgraded(self) -> dict[str, Any]:
        outage = _outage("The database cannot be used", "The database can be used")
        while error := (found := await _upgrade(self._settings)).get("error"):
            self._unusable = self._unusable if self._opened else error
            self._tried.set()
            await asyncio.sleep(outage.failed(ServiceError("overloaded", error)))
        outage.over()
        if warning := found.get("warning"):
            logger.warning("%s", warning)
        return found

    async def _settle(self) -> None:
        outage = _outage("Unfinished replies of other processes cannot be settled", "They are settled again")
        while True:
            try:
                await (await self.open()).recorder.settle_all()
            except ServiceError as error:
                await asyncio.sleep(outage.failed(error))
            else:
                outage.over()
                return


def _outage(consequence: str, recovery: str) -> Outage:
    return Outage(consequence, recovery, first_pause_s=_FIRST_PAUSE_S, longest_pause_s=_LONGEST_PAUSE_S)


async def _upgrade(settings: Settings) -> dict[str, Any]:
    """Run `service.conversations.migrate`, and return its result: `unfinished`, or `error`."""
    request = f"{settings.database_url}\n{settings.encryption_key or ''}"
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service.conversations.migrate",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is handled by the service
        )
    except OSError as error:
        return {"error": f"the process of the upgrade cannot be started: {error.strerror}"}
    try:
        result, _ = await process.communicate(request.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return {"error": f"the upgrade ended with status {process.returncode}"}
    found: dict[str, Any] = msgspec.json.decode(result)
    return found


@asynccontextmanager
async def open_conversations(settings: Settings, journal: Journal) -> AsyncIterator[Conversations]:
    """Open the conversations while the block lasts."""
    async with asyncio.TaskGroup() as tasks:
        conversations = Conversations(settings, tasks, journal)
        try:
            yield conversations
        finally:
            await conversations.close()
