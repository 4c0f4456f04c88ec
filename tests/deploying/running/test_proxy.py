"""Two instances behind a real nginx with the configuration of `deploy/`."""

import asyncio
import json
import signal
from contextlib import ExitStack

import httpx
import pytest

from service.app import create_app
from service.errors import CODES
from service.server import configuration
from service.settings import Settings
from tests.deploying.running.conftest import Site
from tests.failover.processes import Replica, http, started
from tests.failover.reader import Reader, question
from tests.failover.test_deploys import DRAIN_S, Person
from tests.harness import Json, settings
from tests.waiting import eventually, patience

LIMIT = Settings.model_fields["max_body"].default
SECRET = "a-secret-of-this-test"


async def whole_text(site: Site) -> str:
    return await Reader(site.replicas[0], body=question()).whole_text()


async def only_call(site: Site, stream_id: str) -> Json:
    (call,) = await eventually(lambda: site.bedrock.calls(stream_id))
    found: Json = call
    return found


async def test_each_event_arrives_before_the_next_one_exists(site: Site) -> None:
    reader = Reader(site.url, body=question(max_tokens=12), headers={"X-Artesian-Fault": "step"})
    async with patience(), reader.connected() as chunks:
        await reader.take(chunks, until=1)
        call = await only_call(site, reader.stream_id)
        texts = 0
        while texts < 5:  # each is released only after the one before it has arrived
            await site.bedrock.release(call, times=1)
            await reader.take(chunks, until=len(reader.events) + 1)
            texts += reader.events[-1].name == "message"
        await site.bedrock.release(call)
        await reader.take(chunks)

    assert reader.end
    assert reader.end["stop_reason"] in {"end_turn", "max_tokens"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate?prompt=Hi", None),
        ("/v1/chat/completions", {"model": "claude", "messages": [{"role": "user", "content": "Hi"}], "stream": True}),
        (
            "/v1/messages",
            {"model": "claude", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 50},
        ),
    ],
)
async def test_every_dialect_streams_while_the_model_pauses(site: Site, path: str, body: Json | None) -> None:
    headers = {"X-Artesian-Fault": "gate@2", "Accept": "text/event-stream"}
    if body:
        body = body | {"model": "global.anthropic.claude-haiku-4-5-20251001-v1:0"}
    async with (
        patience(),
        http(site.url) as client,
        client.stream("POST" if body else "GET", path, json=body, headers=headers) as response,
    ):
        arrived = response.aiter_raw()
        read = b""
        while read.count(b'"text') + read.count(b'"content":"') < 2:  # two deltas, while the third is held back
            read += await anext(arrived)
        await site.bedrock.release(await only_call(site, response.headers["x-stream-id"]))
        async for chunk in arrived:
            read += chunk

    assert response.status_code == 200
    assert b'"done":true' in read or b"[DONE]" in read or b"message_stop" in read


async def test_a_reader_resumes_at_the_other_instance_after_a_kill(site: Site) -> None:
    whole = await whole_text(site)
    reader = Reader(site.url, body=question(), headers={"X-Artesian-Fault": "gate@5"})
    async with reader.connected() as chunks:
        await reader.take(chunks, until=6)
        dying = await site.producer()
        dying.signal(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):  # a cut is not a regular end
            await reader.take(chunks)
    await reader.run()

    assert reader.text == whole
    assert "continued" in reader.states()


async def test_a_dead_instance_is_skipped_for_every_method(site: Site) -> None:
    site.replicas[0].signal(signal.SIGKILL)
    await site.replicas[0].ended()
    async with http(site.url) as client:
        for _ in range(4):
            assert (await client.post("/api/generate", json=question(max_tokens=5))).status_code == 200
            assert (await client.get("/healthz")).status_code == 200


async def test_a_prompt_is_not_sent_twice_when_its_instance_dies(site: Site) -> None:
    before = {call["key"] for call in await site.bedrock.all_calls()}
    headers = {"X-Artesian-Fault": "gate*"}  # no delta is sent, so that there is no response yet
    async with http(site.url) as client:
        asked = asyncio.create_task(client.post("/api/generate", json=question(), headers=headers))
        dying = await eventually(lambda: _producing(site))
        await eventually(lambda: _asked(site, before))
        dying.signal(signal.SIGKILL)
        answer = await asked

    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")
    told = answer.json()
    code = CODES["interrupted"]
    assert (told["code"], told["retryable"], told["status"]) == (code.name, code.retryable, code.status)
    assert (told["type"], told["title"]) == (f"urn:artesian:error:{code.name}", code.sentence.rstrip("."))
    assert told["request_id"] == answer.headers["x-request-id"]
    assert len({call["key"] for call in await site.bedrock.all_calls()} - before) == 1


async def _producing(site: Site) -> Replica | None:
    states = [(replica, (await replica.readiness())["streams"]) for replica in site.replicas]
    return next((replica for replica, streams in states if streams), None)


async def _asked(site: Site, before: set[str]) -> bool:
    return bool({call["key"] for call in await site.bedrock.all_calls()} - before)


async def test_a_disconnect_from_nginx_is_a_disconnect_from_the_service(site: Site) -> None:
    body = question(on_disconnect="cancel")
    reader = Reader(site.url, body=body, headers={"X-Artesian-Fault": "gate@2"})
    async with reader.connected() as chunks:
        await reader.take(chunks, until=3)
        call = await only_call(site, reader.stream_id)

    assert (await site.bedrock.closed(call))["client_left"]


async def test_a_rolling_restart_behind_nginx_loses_and_repeats_nothing(site: Site) -> None:
    whole = await whole_text(site)
    crowd = [Person(site.url) for _ in range(15)]
    with ExitStack() as stack:
        async with asyncio.TaskGroup() as tasks:
            for person in crowd:
                tasks.create_task(person.live())
            for replica in site.replicas:
                await asyncio.gather(*(person.reads() for person in crowd))
                replica.signal(signal.SIGTERM)
                await replica.ended()
                settings = {"port": replica.port, "drain_timeout": DRAIN_S, "resume_grace": 10}
                new = Replica(site.bedrock, site.journal_url, **settings)
                stack.enter_context(started(new))
                await new.ready()
            for person in crowd:
                person.content = True

    read = [reader for person in crowd for reader in person.read]
    assert sum(reader.reconnects for reader in read) > 0
    for reader in read:
        assert reader.end
        assert reader.text == whole, reader.end


async def test_no_log_contains_a_query_whatever_the_result(site: Site) -> None:
    asked: dict[str, str | int] = {"prompt": SECRET, "max_tokens": 5}
    async with http(site.url) as client:
        well = await client.get("/api/generate", params=asked)
        wrong = await client.get("/api/generate", params=asked | {"temperature": "hot"}, headers={"Referer": SECRET})
        large = await client.post("/api/generate", params=asked, content=b" " * (LIMIT + 1))
        hidden = await client.get("/metrics", params=asked)
        for replica in site.replicas:
            replica.signal(signal.SIGKILL)
            await replica.ended()
        gone = await client.get("/api/generate", params=asked)
    statuses = {}
    for answer in (well, wrong, large, gone):
        line = await site.nginx.logged(answer.headers["x-request-id"])
        statuses[line["status"]] = line["path"]

    assert statuses == dict.fromkeys(["200", "422", "413", "502"], "/api/generate")
    assert hidden.status_code == 404
    assert SECRET not in site.nginx.said
    for replica in site.replicas:
        assert SECRET not in replica.said


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("of-the-caller:1", True), ("", False), ('with"quotes\\', False), ("with a blank", False), ("x" * 129, False)],
)
async def test_a_request_has_the_same_id_in_all_logs(site: Site, sent: str, *, kept: bool) -> None:
    async with http(site.url) as client:
        headers = {"X-Request-Id": sent} if sent else {}
        answer = await client.get("/api/streams/nonsense", headers=headers)
    request_id = answer.headers["x-request-id"]

    assert answer.json()["request_id"] == request_id
    assert (request_id == sent) is kept
    assert (await site.nginx.logged(request_id))["status"] == str(answer.status_code)


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def padded(size: int) -> bytes:
    """Make a request of `size` bytes."""
    body = json.dumps(question(max_tokens=5)).encode()
    return body + b" " * (size - len(body))


async def test_nginx_and_the_service_have_the_same_body_limit(site: Site) -> None:
    headers = {"Content-Type": "application/json"}
    async with http(site.url) as client, http(site.replicas[0].url) as direct:
        allowed = [await way.post("/api/generate", content=padded(LIMIT), headers=headers) for way in (client, direct)]
        refused = [
            await way.post("/api/generate", content=padded(LIMIT + 1), headers=headers) for way in (client, direct)
        ]

    assert [answer.status_code for answer in allowed] == [200, 200]
    by_nginx, by_service = (answer.json() for answer in refused)
    assert [answer.status_code for answer in refused] == [413, 413]
    assert [answer.headers["content-type"] for answer in refused] == ["application/problem+json"] * 2
    assert by_nginx.keys() == by_service.keys()
    same = by_nginx.keys() - {"request_id", "detail", "error"}
    assert {name: by_nginx[name] for name in same} == {name: by_service[name] for name in same}


async def test_an_idle_connection_is_kept_for_the_configured_time(site: Site) -> None:
    brief, long = (Replica(site.bedrock, "memory://", keep_alive=seconds) for seconds in (0.4, 600))
    with started(brief, long):
        await asyncio.gather(brief.ready(), long.ready())
        (closed, to_brief), (open_, to_long) = [
            await asyncio.open_connection("127.0.0.1", replica.port) for replica in (brief, long)
        ]
        for reader, writer in ((closed, to_brief), (open_, to_long)):
            writer.write(HEALTH)
            await reader.readuntil(b"}")
        async with patience():
            rest = await closed.read()
            to_long.write(HEALTH)
            again = await open_.readuntil(b"}")
        to_brief.close()
        to_long.close()

    assert rest == b""
    assert again.startswith(b"HTTP/1.1 200")


def test_a_keep_alive_below_a_second_is_rounded_up_for_uvicorn() -> None:
    given = settings(keep_alive=0.4)

    assert configuration(given, create_app(given)).timeout_keep_alive == 1
