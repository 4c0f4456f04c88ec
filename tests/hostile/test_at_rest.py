"""What lies on disks: nothing that was said where it is encrypted, and nothing of what was to be forgotten."""

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from service.app import create_app
from service.encryption import open_seal
from service.settings import SettingsError
from service.streams.factory import open_journal
from tests.harness import Json, Service, client, fault_header, running, serving, settings
from tests.hostile.canaries import ASKS, SAY, found_in, native, word
from tests.native.gates import call_of, release
from tests.streams.servers import Server

KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


@pytest.fixture
def valkey() -> Iterator[Server]:
    """A server of the test's own."""
    server = Server()
    server.start()
    yield server
    server.remove()


def on_disk(folder: Path, **more: Any) -> dict[str, Any]:
    """Settings for a service that keeps everything in one folder."""
    kept = {
        "journal_url": f"sqlite:///{folder}/streams.db",
        "database_url": f"sqlite+aiosqlite:///{folder}/artesian.db",
    }
    return kept | more


def said_in(folder: Path) -> list[str]:
    """The planted words that stand in a folder's files."""
    return found_in("\n".join(path.read_bytes().decode("latin-1") for path in folder.iterdir() if path.is_file()))


def names_in(folder: Path) -> set[str]:
    """What the files of a folder are called."""
    return {path.name for path in folder.iterdir()}


def modes_in(folder: Path) -> dict[str, int]:
    """Who may do what with the files of a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def dump(server: Server) -> str:
    """All that a Valkey holds: the names of keys, and what is behind them."""
    told: list[object] = []
    with redis.Redis.from_url(server.url) as connection:
        held: Any = connection  # whose types leave open whether one has to wait for an answer
        for name in held.keys("*"):
            match held.type(name):
                case b"hash":
                    told += [name, held.hgetall(name)]
                case b"stream":
                    told += [name, held.xrange(name)]
                case b"zset":
                    told += [name, held.zrange(name, 0, -1)]
                case b"string":
                    told += [name, held.get(name)]
    assert len(told) > 10
    return str(told)


async def say_everything(service: Service) -> str:
    """Have a word from every place kept; the value is a conversation's id."""
    for path, body in ASKS.items():
        for stream in (False, True):
            answer = await service.http.post(path, json=body(stream=stream))
            assert answer.status_code == 200, answer.text
    made = (
        await service.http.post("/api/conversations", json={"title": word("title"), "system": word("system")})
    ).json()
    for _ in range(2):
        sent = await service.http.post(f"/api/conversations/{made['id']}/messages", json={"content": SAY})
        assert sent.status_code == 200, sent.text
    untitled = (await service.http.post("/api/conversations")).json()
    await service.http.post(f"/api/conversations/{untitled['id']}/messages", json={"content": word("prompt")})
    assert word("answer") in (await service.http.get(f"/api/conversations/{made['id']}")).text
    return str(made["id"])


@asynccontextmanager
async def generating(service: Service) -> AsyncIterator[None]:
    """Hold a generation inside the block: a journal stores a request for as long as its generation runs."""
    number = max((call["number"] for call in await service.calls()), default=0) + 1
    sent = service.http.post("/api/generate/stream", json=native(), headers=fault_header("gate@1"))
    answered = asyncio.create_task(sent)
    await call_of(service, number, state="waiting")
    yield
    await release(service)
    (await answered).raise_for_status()


async def test_what_is_encrypted_says_nothing_and_works_as_ever(tmp_path: Path) -> None:
    async with running(**on_disk(tmp_path, encryption_key=KEY)) as service:
        conversation = await say_everything(service)
        async with generating(service):
            assert said_in(tmp_path) == []
        first = (await service.http.post("/v1/responses", json={"input": SAY})).json()
        then = {"input": "And then?", "previous_response_id": first["id"]}
        assert (await service.http.post("/v1/responses", json=then)).status_code == 200
    assert said_in(tmp_path) == []
    assert names_in(tmp_path) >= {"streams.db", "artesian.db"}

    async with running(**on_disk(tmp_path, encryption_key=f"{OTHER},{KEY}")) as service:
        shown = (await service.http.get(f"/api/conversations/{conversation}")).json()
        listed = await listed_in_pages(service)
        stream = (await service.http.get(f"/api/streams/{first['id'].removeprefix('resp_')}?format=responses")).text
        kept = (await service.http.get(f"/v1/responses/{first['id']}")).json()
        ready = await service.http.get("/readyz")

    assert (shown["title"], shown["system"]) == (word("title"), word("system"))
    assert word("answer") in shown["messages"][-1]["text"]
    assert word("title") in listed
    assert len(listed) == 2
    assert word("answer") in stream
    assert word("answer") in str(kept["output"])
    assert ready.json()["database"]["ok"]


async def listed_in_pages(service: Service) -> list[str]:
    """The titles of all conversations, page by page."""
    titles: list[str] = []
    cursor: Json = {}
    while True:
        page = (await service.http.get("/api/conversations", params={"limit": 1} | cursor)).json()
        titles += [each["title"] for each in page["conversations"]]
        if not page["next_cursor"]:
            return titles
        cursor = {"cursor": page["next_cursor"]}


async def test_without_a_key_it_lies_there_to_be_read(tmp_path: Path) -> None:
    """So that the test above looks where there is something to be found."""
    async with running(**on_disk(tmp_path)) as service:
        await say_everything(service)
        async with generating(service):
            found = set(said_in(tmp_path))

    assert {"prompt", "system", "answer", "argument", "result", "description", "metadata", "stop", "title"} <= found


@pytest.mark.parametrize("key", [KEY, None])
async def test_valkey_holds_no_word_where_there_is_a_key(valkey: Server, key: str | None) -> None:
    async with running(journal_url=valkey.url, encryption_key=key) as service:
        held = await service.http.post("/api/generate/stream", json=native(), headers={"Idempotency-Key": "k"})
        await say_everything(service)
        async with generating(service):
            found = found_in(dump(valkey))
        again = await service.state(held.headers["x-stream-id"])

    assert word("answer") in again["text"]
    assert found == [] if key else "prompt" in found


async def test_a_journal_under_another_key_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/streams.db"
    async with running(journal_url=url, encryption_key=KEY) as service:
        await service.ask(prompt=SAY)

    for key in (OTHER, None):
        with pytest.raises(SettingsError, match="ARTESIAN_ENCRYPTION_KEY: the journal has"):
            async with open_journal(url, lease_s=1, ttl_s=60, memory_bytes=1 << 20, seal=open_seal(key)):
                pass


async def test_a_database_under_another_key_is_not_ready_and_says_so(tmp_path: Path) -> None:
    url = {"database_url": f"sqlite+aiosqlite:///{tmp_path}/artesian.db"}
    async with running(**url, encryption_key=KEY) as service:
        made = (await service.http.post("/api/conversations", json={"title": word("title")})).json()
        response = (await service.http.post("/v1/responses", json={"input": SAY})).json()

    for key in (OTHER, None):
        async with unprepared(**url, encryption_key=key) as service:
            answers = [
                await service.http.get(f"/api/conversations/{made['id']}"),
                await service.http.get("/api/conversations"),
                await service.http.get(f"/v1/responses/{response['id']}"),
            ]
            ready = await service.http.get("/readyz")
            answer = await service.http.post("/api/generate", json={"prompt": "Hi"})

        assert [answer.status_code for answer in answers] == [503] * 3
        assert all("database" in answer.text for answer in answers)
        assert (ready.status_code, ready.json()["database"]["ok"]) == (503, False)
        assert answer.status_code == 200


@asynccontextmanager
async def unprepared(**values: Any) -> AsyncIterator[Service]:
    """A service that need not be ready."""
    app = create_app(settings(**values))
    async with serving(app) as url, client(url) as http:
        yield Service(app, url, http, http)


async def test_rows_that_have_changed_places_are_not_taken_for_one_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(**on_disk(tmp_path, encryption_key=KEY)) as service:
        conversation = await say_everything(service)
        with sqlite3.connect(tmp_path / "artesian.db") as database:
            rows = database.execute("SELECT id, content FROM messages ORDER BY position LIMIT 2").fetchall()
            (one, said), (other, answered) = rows
            database.executemany("UPDATE messages SET content = ? WHERE id = ?", [(answered, one), (said, other)])
        database.close()
        answer = await service.http.get(f"/api/conversations/{conversation}")

    assert answer.status_code == 200
    assert not {one, other} & {message["id"] for message in answer.json()["messages"]}
    (named,) = [line for line in caplog.messages if "is damaged and skipped: table messages" in line]
    assert one in named or other in named  # of two conversations, of which one was read


async def test_what_was_kept_before_there_was_a_key_can_still_be_read(tmp_path: Path) -> None:
    async with running(**on_disk(tmp_path)) as service:
        made = (await service.http.post("/api/conversations", json={"title": word("title")})).json()
        stream = await service.stream(prompt=SAY)

    async with running(**on_disk(tmp_path, encryption_key=KEY)) as service:
        shown = (await service.http.get(f"/api/conversations/{made['id']}")).json()
        resumed = await service.resume(stream[0].id)

    assert shown["title"] == word("title")
    assert resumed == stream[1:]


async def test_store_false_leaves_nothing_on_a_disk_and_can_be_come_back_to(tmp_path: Path) -> None:
    async with running(**on_disk(tmp_path)) as service:
        stream = await service.stream(**native(store=False))
        resumed = await service.resume(stream[0].id)
        whole = await service.http.post("/api/generate", json=native(store=False), headers={"Idempotency-Key": "k"})
        response = (await service.http.post("/v1/responses", json=ASKS["/v1/responses"](store=False))).json()
        read = await service.http.get(f"/v1/responses/{response['id']}")
        chat = await service.http.post("/v1/chat/completions", json=ASKS["/v1/chat/completions"](store=False))
        assert said_in(tmp_path) == []
    assert said_in(tmp_path) == []

    assert resumed == stream[1:]
    assert whole.status_code == chat.status_code == 200
    assert not [event for event in stream if event.name == "status"]
    assert read.status_code == 404


async def test_what_is_purged_is_nowhere_any_more(tmp_path: Path) -> None:
    async with running(**on_disk(tmp_path)) as service:
        streams = []
        for path, body in ASKS.items():
            answer = await service.http.post(path, json=body(stream=True))
            streams.append(answer.headers["x-stream-id"])
        made = (await service.http.post("/api/conversations", json={"title": word("title")})).json()
        place = f"/api/conversations/{made['id']}"
        await service.http.post(f"{place}/messages", json={"content": SAY})
        assert said_in(tmp_path) != []
        await service.http.delete(place)
        for stream_id in streams:
            gone = await service.http.delete(f"/api/streams/{stream_id}?purge=true")
            after = await service.http.get(f"/api/streams/{stream_id}")
            assert (gone.status_code, after.status_code) == (200, 410)

        assert said_in(tmp_path) == []
        for stream_id in streams:
            assert (await service.http.get(f"/v1/responses/resp_{stream_id}")).status_code == 404


async def test_files_are_for_the_eyes_of_their_owner_alone(tmp_path: Path) -> None:
    async with running(**on_disk(tmp_path)) as service:
        await say_everything(service)

        assert {name: mode for name, mode in modes_in(tmp_path).items() if mode != 0o600} == {}


async def test_a_deleted_response_is_nowhere_any_more(tmp_path: Path) -> None:
    async with running(**on_disk(tmp_path)) as service:
        response = (await service.http.post("/v1/responses", json={"input": SAY})).json()
        assert word("answer") in (await service.http.get(f"/v1/responses/{response['id']}")).text
        assert said_in(tmp_path) != []
        gone = await service.http.delete(f"/v1/responses/{response['id']}")

        assert gone.status_code == 200
        assert said_in(tmp_path) == []
