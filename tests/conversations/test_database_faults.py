"""Faults of the database: 503 for requests that need it, invisible to all others, and nothing finished is lost."""

import asyncio
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import text

from service.conversations.database import Database
from service.conversations.faults import DatabaseUnavailable
from tests.conversations.databases import Postgres, postgres_server, sqlite
from tests.conversations.talk import Talk, talk
from tests.harness import Json, Service, client, running
from tests.project.running import running as process
from tests.streams.servers import Server
from tests.waiting import eventually

FILE = "conversations.db"
OTHERS = 3


class Fault(NamedTuple):
    """A fault of a database: its start and its end."""

    begin: Callable[[], Coroutine[Any, Any, None]]
    end: Callable[[], Coroutine[Any, Any, None]]


def postgres_fault(name: str, server: Postgres) -> Fault:
    reload = "SELECT pg_reload_conf()"
    match name:
        case "a restart":

            async def stop() -> None:
                await asyncio.to_thread(server.stop)

            async def start() -> None:
                await asyncio.to_thread(server.start)

            return Fault(stop, start)
        case "a failover to a read-only standby":
            on, off = "ALTER SYSTEM SET default_transaction_read_only = on", "ALTER SYSTEM RESET ALL"
            return Fault(lambda: server.execute(on, reload), lambda: server.execute(off, reload))
        case "a missing table":
            away = ["ALTER TABLE messages RENAME TO m", "ALTER TABLE responses RENAME TO r"]
            back = ["ALTER TABLE m RENAME TO messages", "ALTER TABLE r RENAME TO responses"]
            return Fault(lambda: server.execute(*away), lambda: server.execute(*back))
    away = ["ALTER TABLE messages RENAME content TO c", "ALTER TABLE responses RENAME response TO r"]
    back = ["ALTER TABLE messages RENAME c TO content", "ALTER TABLE responses RENAME r TO response"]
    return Fault(lambda: server.execute(*away), lambda: server.execute(*back))


def move(folder: Path, name: str, other: str) -> None:
    for each in folder.glob(f"{name}*"):
        each.rename(folder / each.name.replace(name, other))


def sqlite_fault(name: str, folder: Path) -> Fault:
    file, aside = folder / FILE, folder / "aside"

    async def damage() -> None:
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(file, aside)
        with file.open("r+b") as opened:
            opened.write(b"\xa5" * file.stat().st_size)

    async def repair() -> None:
        with file.open("r+b") as opened:
            opened.write(aside.read_bytes())

    async def remove_file() -> None:
        move(folder, FILE, "aside")

    async def restore_file() -> None:
        move(folder, "aside", FILE)

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))

    async def empty() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    return {
        "overwritten bytes": Fault(damage, repair),
        "a deleted file": Fault(remove_file, restore_file),
        "a full disk": Fault(fill, empty),
    }[name]


@asynccontextmanager
async def other_clients(service: Service) -> AsyncIterator[None]:
    """Hold streams of other clients open inside the block; at its end each must end complete."""

    async def read() -> str:
        events = await service.stream(prompt="Tell me about wells", fault="gate@3")
        assert [event.n for event in events] == list(range(1, len(events) + 1))
        return str(events[-1].data.get("stop_reason"))

    readers = [asyncio.create_task(read()) for _ in range(OTHERS)]
    await eventually(lambda: held(service, OTHERS))
    yield
    await service.bedrock.post("/_local/release")
    assert await asyncio.gather(*readers) == ["end_turn"] * OTHERS


async def held(service: Service, number: int) -> bool:
    waiting = [call for call in await service.calls() if call["state"] == "waiting"]
    return len(waiting) == number


async def respond(service: Service, prompt: str = "Hi", **more: Any) -> httpx.Response:
    body: Json = {"model": "us.anthropic.claude-haiku-4-5-20251001-v1:0", "input": prompt} | more
    return await service.http.post("/v1/responses", json=body)


async def is_stored(address: str, response_id: str) -> bool:
    database = Database(address)
    try:
        async with database.read() as connection:
            query = text("SELECT ended FROM responses WHERE id = :id")
            return bool((await connection.execute(query, {"id": response_id.removeprefix("resp_")})).scalar())
    except DatabaseUnavailable:
        return False
    finally:
        await database.close()


async def fail_and_recover(service: Service, address: str, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    """Let a database fail under a reply, a response and requests that need it, and recover."""
    caplog.clear()
    async with other_clients(service):
        earlier = (await respond(service)).json()["id"]
        await eventually(lambda: is_stored(address, earlier))
        one, idle = await talk(service), await talk(service)
        async with one.open("Hello", fault="gate@2") as events:
            await anext(events)
            await fault.begin()
            try:
                refused = await idle.post("Hello?")
                answered = await respond(service)
                alive = await service.http.get("/healthz")
                call = next(call for call in reversed(await service.calls()) if call["state"] == "waiting")
                await service.bedrock.post(f"/_local/release?call={call['number']}")
                last = [event async for event in events][-1]
                await eventually(lambda: _logged(caplog, "Finished answers cannot be stored"))
            finally:
                await fault.end()

        async def accepted() -> bool:
            answer = await one.post("Hello again")
            assert answer.status_code in {200, 503}, answer.text  # no 409: the reply has ended, and is not stored yet
            return answer.status_code == 200

        await eventually(lambda: is_stored(address, answered.json()["id"]))
        await eventually(accepted)
        output = (await one.read())["messages"]

    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (503, "overloaded", True)
    assert int(refused.headers["retry-after"]) > 0
    assert answered.status_code == alive.status_code == 200
    assert last.data["done"]
    assert [message["status"] for message in output] == ["complete"] * 4
    assert sum("Finished answers cannot be stored" in line for line in caplog.messages) == 1
    assert sum("Finished answers are stored again" in line for line in caplog.messages) == 1
    assert not [record for record in caplog.records if record.exc_info]


async def _logged(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return any(words in line for line in caplog.messages)


POSTGRES = ("a restart", "a failover to a read-only standby", "a missing table", "a missing column")
SQLITE = ("overwritten bytes", "a deleted file", "a full disk")


async def test_faults_of_postgresql_are_503_where_it_is_needed_and_invisible_elsewhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "service")
    with postgres_server() as server:
        async with running(database_url=server.url) as service:
            for name in POSTGRES:
                await fail_and_recover(service, server.url, postgres_fault(name, server), caplog)


async def test_faults_of_sqlite_are_503_where_it_is_needed_and_invisible_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "service")
    async with running(database_url=sqlite(tmp_path)) as service:
        for name in SQLITE:
            await fail_and_recover(service, sqlite(tmp_path), sqlite_fault(name, tmp_path), caplog)


async def test_missing_tables_are_created_when_the_database_recovers(tmp_path: Path) -> None:
    async with running(database_url=sqlite(tmp_path)) as service:
        assert (await service.http.post("/api/conversations")).status_code == 201
        move(tmp_path, FILE, "aside")
        refused = await service.http.post("/api/conversations")
        (tmp_path / FILE).touch()

        async def back() -> bool:
            return (await service.http.post("/api/conversations")).status_code == 201

        await eventually(back)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("valkey", marks=pytest.mark.soak)])
async def test_answers_that_a_killed_process_could_not_store_are_stored_by_the_next(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    address = sqlite(tmp_path)
    journal = f"sqlite:///{tmp_path}/journal.db"
    if kind == "valkey":
        server = Server()
        request.addfinalizer(server.remove)
        server.start()
        journal = server.url
    kept = {"database_url": address, "journal_url": journal, "lease": "0.3", "stream_ttl": "0.2"}
    fault = sqlite_fault("a deleted file", tmp_path)
    with process(None, **kept, local_faults="true") as killed:
        async with client(killed.url) as http:
            there = Service(None, killed.url, http, http)  # type: ignore[arg-type]  # it runs in another process
            one = await talk(there)
            async with one.open("Hello", fault="rate=200") as events:
                await anext(events)
                await fault.begin()
                answered = await respond(there)
                last = [event async for event in events][-1]
            await asyncio.sleep(0.3)  # more than STREAM_TTL: the time to live has to pass
            killed.process.kill()
            killed.process.wait()
    await fault.end()
    async with running(**{**kept, "lease": 0.3, "stream_ttl": 0.2}) as service:
        reply = await Talk(service, one.id).settled()
        name = answered.json()["id"]
        await eventually(lambda: is_stored(address, name))
        given = await service.http.get(f"/v1/responses/{name}/input_items")

    assert last.data["done"]
    assert (reply["status"], bool(reply["text"])) == ("complete", True)
    assert given.json()["data"][0]["content"][0]["text"] == "Hi"


async def test_answers_that_wait_for_the_database_neither_expire_nor_fill_the_memory(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    async with running(database_url=sqlite(folder), stream_memory=60_000, stream_ttl=0.1) as service:
        stored = [await respond(service)]
        while (latest := await respond(service)).status_code == 200:
            stored.append(latest)
        unstored = await respond(service, store=False)
        generated = await service.ask()
        first = await service.http.get(f"/v1/responses/{stored[0].json()['id']}")
        folder.mkdir()

        async def accepted() -> bool:
            return (await respond(service)).status_code == 200

        await eventually(accepted)
        for each in stored:
            await eventually(partial(is_stored, sqlite(folder), each.json()["id"]))

    assert (latest.status_code, latest.json()["error"]["code"]) == (503, "overloaded")
    assert "half of the memory" in latest.json()["error"]["message"]
    assert int(latest.headers["retry-after"]) > 0
    assert (first.status_code, first.json()["status"]) == (200, "completed")
    assert unstored.status_code == 200
    assert generated["text"]


@pytest.mark.soak  # it waits for the whole shutdown timeout
async def test_a_shutdown_logs_the_answers_that_it_could_not_store(tmp_path: Path) -> None:
    with process(database_url=sqlite(tmp_path / "missing")) as stopped:
        async with client(stopped.url) as http:
            there = Service(None, stopped.url, http, http)  # type: ignore[arg-type]  # it runs in another process
            name = (await respond(there)).json()["id"].removeprefix("resp_")
        output, status = await asyncio.to_thread(stopped.stop)

    (line,) = [line for line in output.splitlines() if "could not be stored before the shutdown" in line]
    assert name in line
    assert "Traceback" not in output
    assert status != 1


async def test_a_damaged_row_is_skipped_and_logged_and_all_others_are_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(database_url=sqlite(tmp_path)) as service:
        whole, torn, lost = [await talk(service, title=title) for title in ("whole", "torn", "lost")]
        for one in (whole, torn):
            await one.say("Hello")
            await one.say("Hello again")
        response = (await respond(service)).json()["id"].removeprefix("resp_")
        await eventually(lambda: is_stored(sqlite(tmp_path), response))
        output = [message["id"] for message in (await torn.read())["messages"]]
    with closing(sqlite3.connect(tmp_path / FILE)) as database, database:
        database.execute("UPDATE messages SET content = ? WHERE id = ?", (b"[{", output[0]))
        database.execute("UPDATE messages SET content = ?, outcome = NULL WHERE id = ?", (7, output[3]))
        database.execute("UPDATE conversations SET claim = ?, claimed_until_ms = 1 WHERE id = ?", (output[3], torn.id))
        database.execute("UPDATE conversations SET title = ? WHERE id = ?", (b"\xff", lost.id))
        database.execute("UPDATE responses SET response = ? WHERE id = ?", (b"x", response))

    caplog.set_level("INFO", "service")
    async with running(database_url=sqlite(tmp_path)) as service, other_clients(service):
        for _ in range(2):
            listed = (await service.http.get("/api/conversations")).json()["conversations"]
            left = [await Talk(service, each["id"]).settled() for each in listed]
            shown = await Talk(service, torn.id).read()
            refused = await service.http.get(f"/api/conversations/{lost.id}")
            read = await service.http.get(f"/v1/responses/resp_{response}")
            continued = await respond(service, previous_response_id=f"resp_{response}")
        again = await Talk(service, torn.id).say("And again?")

    assert {each["title"] for each in listed} == {"whole", "torn"}
    assert [message["id"] for message in shown["messages"]] == output[1:3]
    assert len(left) == 2
    assert again["text"]
    for answer in (refused, read, continued):
        assert answer.status_code == 503
        assert "is damaged and cannot be read" in answer.text
        assert "retry-after" not in answer.headers
    assert not refused.json()["retryable"]
    damaged = sorted(line for line in caplog.messages if "is damaged" in line)
    assert [line.split("table ")[1].split(" (")[0] for line in damaged] == sorted(
        f"{table}, id {row}"
        for table, row in (
            ("conversations", lost.id),
            ("messages", output[0]),
            ("messages", output[3]),
            ("responses", response),
        )
    )


@pytest.mark.soak  # two starts with a file
async def test_the_readable_part_of_a_later_schema_is_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(database_url=sqlite(tmp_path)) as service:
        one = await talk(service, title="kept")
    with closing(sqlite3.connect(tmp_path / FILE)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    async with running(database_url=sqlite(tmp_path)) as service:
        kept = await service.http.get(f"/api/conversations/{one.id}")

    assert (kept.status_code, kept.json()["title"]) == (200, "kept")
    (line,) = [line for line in caplog.messages if "ARTESIAN_DATABASE_URL" in line]
    assert "later" in line


async def test_a_damaged_stream_in_the_journal_is_skipped_after_one_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal: Json = {"journal_url": f"sqlite:///{tmp_path}/journal.db", "lease": 0.2, "drain_timeout": 0}
    async with running(**journal) as service, service.open(fault="gate@2", on_disconnect="drain") as events:
        stream_id = (await anext(events)).data["stream_id"]
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database, database:
        database.execute("UPDATE record SET content = ?", (b"damaged",))

    async with running(**journal) as service, other_clients(service):
        await eventually(lambda: _logged(caplog, "A stored stream cannot be read"))
        async with asyncio.TaskGroup() as clients:
            for _ in range(3):
                clients.create_task(service.ask())
        alive = await service.http.get("/healthz")

    named = [record for record in caplog.records if getattr(record, "stream_id", "") == stream_id]
    assert [record.getMessage() for record in named].count("A stored stream cannot be read") == 1
    assert alive.status_code == 200


@pytest.mark.parametrize("kind", ["sqlite", "valkey"])
async def test_responses_of_a_durable_journal_are_stored_with_their_end(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The end of a stream is published when the journal has it, which is after its generation has ended."""
    journal = f"sqlite:///{tmp_path}/journal.db"
    if kind == "valkey":
        server = Server()
        request.addfinalizer(server.remove)
        server.start()
        journal = server.url
    async with running(journal_url=journal, database_url=sqlite(tmp_path)) as service:
        first = (await respond(service)).json()["id"]
        await eventually(partial(is_stored, sqlite(tmp_path), first))  # from now on the database is open
        answers = await asyncio.gather(*(respond(service) for _ in range(8)))
        for answer in answers:
            await eventually(partial(is_stored, sqlite(tmp_path), answer.json()["id"]))
