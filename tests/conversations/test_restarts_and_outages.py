"""Conversations after a killed process, with two replicas, and during an outage of the database."""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from service.conversations.database import Database
from tests.conversations.databases import postgresql, sqlite
from tests.conversations.talk import Talk, talk
from tests.harness import Service, client, running, text_of
from tests.project.running import running as process
from tests.waiting import eventually


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite(tmp_path)
    else:
        with postgresql() as url:
            yield url


async def test_messages_are_there_after_a_restart(address: str) -> None:
    async with running(database_url=address) as service:
        one = await talk(service, system="Be brief.")
        await one.say("Hello")
        before = await one.read()
    async with running(database_url=address) as service:
        assert await Talk(service, before["id"]).read() == before


async def test_a_conversation_is_claimed_across_replicas(address: str) -> None:
    async with running(database_url=address) as here, running(database_url=address) as there:
        one = await talk(here)
        async with one.open("Hello", fault="gate@2") as events:
            await anext(events)
            refused = await Talk(there, one.id).post("Hello too")
            seen_there = await Talk(there, one.id).read()
            await here.bedrock.post("/_local/release")
            [event async for event in events]
        await Talk(there, one.id).settled()
        followed = await Talk(there, one.id).say("Hello again")

    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert seen_there["answering"]
    assert seen_there["messages"][1]["status"] == "answering"
    assert followed["text"]


async def test_many_replicas_may_upgrade_at_once(address: str) -> None:
    upgrades = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service.conversations.migrate",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]

    output = await asyncio.gather(*(upgrade.communicate(address.encode()) for upgrade in upgrades))

    assert [out for out, _ in output] == [b'{"unfinished":0}'] * 4


async def test_the_tables_match_the_migrations(address: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from service.conversations.tables import metadata

    async with running(database_url=address) as service:
        await talk(service)
    database = Database(address)
    async with database.read() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    await database.close()

    assert differences == []


async def test_a_reply_whose_process_was_killed_is_settled_at_the_next_start(tmp_path: Path) -> None:
    address = sqlite(tmp_path)
    with process(database_url=address, local_faults="true", lease="0.5") as killed:
        async with client(killed.url) as http:
            one = Talk(Service(None, killed.url, http, http), (await http.post("/api/conversations")).json()["id"])  # type: ignore[arg-type]  # it is in another process
            async with one.open("Tell me about wells", fault="stall@6") as events:
                seen = [await anext(events)]
                while len(text_of(seen).split()) < 3:
                    seen.append(await anext(events))

                async def kept() -> bool:
                    with closing(sqlite3.connect(tmp_path / "conversations.db")) as reading:
                        rows = reading.execute("SELECT content FROM messages WHERE role = 'assistant'")
                        return bool(rows.fetchone()[0] != b"[]")

                await eventually(kept)
                killed.process.kill()
    async with running(database_url=address, lease=0.5) as service:
        reply = await Talk(service, one.id).settled()
        again = await Talk(service, one.id).say("And again?")

    assert (reply["status"], reply["partial"], reply["error"]["code"]) == ("failed", True, "interrupted")
    assert reply["text"]
    assert again["text"]


async def test_a_reply_continues_in_a_journal_that_outlives_its_process(tmp_path: Path) -> None:
    address, journal = sqlite(tmp_path), f"sqlite:///{tmp_path}/journal.db"
    with process(database_url=address, journal_url=journal, lease="0.5", local_rate="20") as killed:
        async with client(killed.url) as http:
            one = Talk(Service(None, killed.url, http, http), (await http.post("/api/conversations")).json()["id"])  # type: ignore[arg-type]  # it is in another process
            async with one.open("Tell me about wells") as events:
                seen = [await anext(events)]
                while len(text_of(seen).split()) < 3:
                    seen.append(await anext(events))
                killed.process.kill()
    async with running(database_url=address, journal_url=journal, lease=0.5) as service:
        reply = await Talk(service, one.id).settled()

    assert reply["status"] == "complete"
    assert reply["text"].startswith(text_of(seen))


async def test_a_shutdown_stores_the_content_of_a_reply_so_far(tmp_path: Path) -> None:
    address = sqlite(tmp_path)
    async with running(database_url=address) as service:
        one = await talk(service)
        async with one.open("Tell me about wells", fault="stall@6") as events:
            seen = [await anext(events)]
            while not text_of(seen):
                seen.append(await anext(events))
    async with running(database_url=address) as service:
        reply = (await Talk(service, one.id).read())["messages"][1]

    assert (reply["status"], reply["error"]["code"]) == ("failed", "draining")
    assert reply["text"].startswith(text_of(seen))


@pytest.mark.parametrize(
    "address", ["sqlite+aiosqlite:////there/is/no/such/folder/a.db", "postgresql+asyncpg://someuser@127.0.0.1:1/none"]
)
async def test_an_unavailable_database_stops_no_generation(address: str) -> None:
    async with running(database_url=address) as service:
        refused = await service.http.post("/api/conversations")
        ready = await service.http.get("/readyz")

        assert (refused.status_code, refused.json()["retryable"]) == (503, True)
        assert "someuser" not in refused.text
        assert (ready.status_code, ready.json()["database"]["ok"]) == (503, False)
        assert (await service.ask())["text"]


async def test_an_outage_of_the_database_is_logged_and_stops_no_generation() -> None:
    with ExitStack() as server:
        address = server.enter_context(postgresql())
        async with running(database_url=address) as service:
            one = await talk(service)
            assert (await service.http.get("/readyz")).json()["database"] == {"name": "postgresql", "ok": True}
            server.close()

            refused = await one.post("Hi")
            ready = await service.http.get("/readyz")

            assert (refused.status_code, refused.json()["retryable"]) == (503, True)
            assert (ready.status_code, ready.json()["database"]["ok"]) == (503, False)
            assert (await service.ask())["text"]


async def test_an_end_that_cannot_be_stored_is_stored_later(tmp_path: Path) -> None:
    async with running(database_url=sqlite(tmp_path)) as service:
        one = await talk(service)
        async with one.open("Hi", fault="gate@2") as events:
            await anext(events)
            with closing(sqlite3.connect(tmp_path / "conversations.db", isolation_level=None)) as lock:
                lock.execute("BEGIN IMMEDIATE")
                await service.bedrock.post("/_local/release")
                seen = [event async for event in events]
                lock.execute("ROLLBACK")

        assert seen[-1].data["done"]
        assert (await one.settled())["status"] == "complete"


async def test_a_database_that_recovers_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    async with running(database_url=sqlite(folder)) as service:
        assert (await service.http.post("/api/conversations")).status_code == 503
        folder.mkdir()

        async def back() -> httpx.Response | None:
            made = await service.http.post("/api/conversations")
            return made if made.status_code == 201 else None

        await eventually(back)
        assert (await service.http.get("/readyz")).json()["database"] == {"name": "sqlite", "ok": True}


async def test_no_heavy_module_is_loaded_before_the_first_conversation() -> None:
    look = "import sys, service.app; print({'sqlalchemy', 'alembic', 'asyncpg'} & set(sys.modules))"

    looking = await asyncio.create_subprocess_exec(sys.executable, "-c", look, stdout=asyncio.subprocess.PIPE)
    output, _ = await looking.communicate()

    assert output == b"set()\n"
