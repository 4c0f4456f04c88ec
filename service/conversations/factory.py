"""Opens the conversations: nothing heavy until somebody needs it, and never in the way of the service's start."""

import asyncio
import importlib
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from service.encryption import Seal, open_seal
from service.errors import ServiceError
from service.settings import Settings

if TYPE_CHECKING:
    from service.conversations.database import Database
    from service.conversations.reply_recorder import Find, ReplyRecorder
    from service.conversations.sends import Sends
    from service.conversations.store import ConversationStore

logger = logging.getLogger(__name__)

_IN_MEMORY = frozenset({"sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"})
_PATIENCE_S = 15.0  # of a request that comes while the tables are being upgraded
_CHECK_S = 2.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0  # between two tries to reach a database that is away


class OpenConversations(NamedTuple):
    """The conversations, once they are open."""

    database: "Database"
    seal: Seal
    store: "ConversationStore"
    sends: "Sends"
    keeper: "ReplyRecorder"


class Conversations:
    """What the lifespan holds. A process of its own brings the tables up to date while the service already answers."""

    def __init__(self, settings: Settings, tasks: asyncio.TaskGroup, find: "Find", *, durable: bool) -> None:
        self._settings = settings
        self._tasks = tasks
        self._find = find
        self._durable = durable
        self._opening = asyncio.Lock()
        self._opened: OpenConversations | None = None
        self._tried = asyncio.Event()
        self._away: str | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self.name = settings.database_url.partition("+")[0]
        if settings.database_url in _IN_MEMORY:
            self._tried.set()
        else:
            self._upkeep = tasks.create_task(self._keep_up())

    async def open(self) -> OpenConversations:
        """Give the store and what belongs to it.

        Raises:
            ServiceError: 503, the database is away.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._tried.wait()
        except TimeoutError:
            raise ServiceError("overloaded", "The database is still being prepared.", retry_after=5) from None
        if self._away:
            raise ServiceError("overloaded", "The database of conversations cannot be used just now.", retry_after=5)
        async with self._opening:
            if self._opened is None:
                self._opened = await self._load()
        return self._opened

    async def check(self) -> bool:
        """Whether the database answers. One that has not been needed yet is taken at its last word."""
        if self._away or not self._opened:
            return not self._away
        try:
            async with asyncio.timeout(_CHECK_S):
                await self._opened.database.check()
        except (ServiceError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Keep what is still to be kept, and close the connections."""
        if self._upkeep:
            self._upkeep.cancel()
        if self._opened:
            await self._opened.keeper.close()
            await self._opened.database.close()

    async def _load(self) -> OpenConversations:
        # In a thread, since it takes a quarter of a second that running streams do not have.
        for name in ("database", "store", "sends", "reply_recorder"):
            await asyncio.to_thread(importlib.import_module, f"service.conversations.{name}")
        from service.conversations.database import Database
        from service.conversations.reply_recorder import ReplyRecorder
        from service.conversations.sends import Sends
        from service.conversations.store import ConversationStore

        database = Database(self._settings.database_url)
        if self._settings.database_url in _IN_MEMORY:
            await asyncio.to_thread(importlib.import_module, "service.conversations.migrate")
            from service.conversations.migrate import upgrade

            await upgrade(database)
        seal = open_seal(self._settings.encryption_key)
        store = ConversationStore(database, seal)
        sends = Sends(store)
        keeper = ReplyRecorder(sends, self._tasks, self._find, lease_s=self._settings.lease, durable=self._durable)
        return OpenConversations(database, seal, store, sends, keeper)

    async def _keep_up(self) -> None:
        """Bring the tables up to date, however often it takes, and settle what was left in them."""
        pause = _FIRST_PAUSE_S
        while error := (found := await _upgrade(self._settings)).get("error"):
            self._away = error
            self._tried.set()
            logger.warning("The database of conversations cannot be used: %s", error)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)
        self._away = None
        self._tried.set()
        if found["unfinished"] or self.name != "sqlite":  # what is on the network can go away, and `/readyz` says so
            await self._settle()

    async def _settle(self) -> None:
        while True:
            try:
                await (await self.open()).keeper.settle_all()
            except ServiceError:
                await asyncio.sleep(_LONGEST_PAUSE_S)
            else:
                return


async def _upgrade(settings: Settings) -> dict[str, Any]:
    """Run `service.conversations.migrate`, and return what it found: `unfinished`, or `error`."""
    told = f"{settings.database_url}\n{settings.encryption_key or ''}"
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service.conversations.migrate",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the service's affair
        )
    except OSError as error:
        return {"error": f"no process can be started: {error.strerror}"}
    try:
        said, _ = await process.communicate(told.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return {"error": f"the upgrade ended with status {process.returncode}"}
    found: dict[str, Any] = msgspec.json.decode(said)
    return found


@asynccontextmanager
async def open_conversations(settings: Settings, find: "Find", *, durable: bool) -> AsyncIterator[Conversations]:
    """Hold the conversations while the block lasts. `find` finds a stream by its id."""
    async with asyncio.TaskGroup() as tasks:
        conversations = Conversations(settings, tasks, find, durable=durable)
        try:
            yield conversations
        finally:
            await conversations.close()
