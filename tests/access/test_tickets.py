"""Tickets: for pages, since an EventSource cannot send headers and a URL must not contain a key."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.access.tickets import START_S, Tickets
from tests.access.holders import EVENTS, SECRET, Holder, add_key, held, read, revoke
from tests.harness import events_of, running, text_of
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = "/api/generate?prompt=Hi"


@pytest.fixture
def ann(holders: dict[str, Holder]) -> Holder:
    return holders["ann"]


def made(holder: str = "ann", *, ago_s: float = 0, secret: str = SECRET, stream_id: str | None = None) -> str:
    """Sign a ticket as the service would have done `ago_s` seconds ago."""
    tickets = Tickets(secret, ttl_s=600, longest_s=3600, clock=lambda: time.time() - ago_s)
    return tickets.issue(holder, stream_id)


async def calls(holder: Holder) -> int:
    """Return how often a model was called."""
    return len(await holder.service.calls())


async def test_a_ticket_has_its_expiry(ann: Holder) -> None:
    answer = await ann.ask("POST", "/api/tickets")

    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert body.keys() == {"ticket", "expires_in", "expires_at"}
    assert body["expires_in"] == START_S == 60
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=61)
    assert ann.key not in answer.text


async def test_a_ticket_starts_one_stream_and_resumes_it(ann: Holder) -> None:
    ticket, before = await ann.ticket(), await calls(ann)

    _, events = await read(ann.service, f"{ASKED}&ticket={ticket}")
    _, again = await read(ann.service, f"{ASKED}&ticket={ticket}")  # as after a connection that broke before any id
    _, rest = await read(ann.service, f"{ASKED}&ticket={ticket}", **{"Last-Event-ID": events[1].id})
    status, _ = await read(ann.service, f"{ASKED}&ticket={ticket}", **{"Last-Event-ID": events[-1].id})
    _, by_id = await read(ann.service, f"/api/streams/{events[0].data['stream_id']}?ticket={ticket}")

    assert events[-1].data["done"] is True
    assert again == by_id == events
    assert rest == events[2:]
    assert status == 204
    assert await calls(ann) == before + 1


async def test_a_ticket_used_twice_concurrently_starts_one_stream(ann: Holder) -> None:
    ticket, before = await ann.ticket(), await calls(ann)

    answers = await asyncio.gather(*(read(ann.service, f"{ASKED}&ticket={ticket}") for _ in range(5)))

    assert len({events[0].data["stream_id"] for _, events in answers}) == 1
    assert await calls(ann) == before + 1


async def test_another_prompt_with_the_same_ticket_is_refused(ann: Holder) -> None:
    ticket = await ann.ticket()
    await read(ann.service, f"{ASKED}&ticket={ticket}")
    before = await calls(ann)

    _, [event] = await read(ann.service, f"/api/generate?prompt=Ho&ticket={ticket}")

    assert (event.data["status"], event.data["code"]) == (422, "validation")
    assert event.data["error"].startswith("ticket: ")
    assert await calls(ann) == before


async def test_a_tickets_stream_belongs_to_its_key(ann: Holder, holders: dict[str, Holder]) -> None:
    _, events = await read(ann.service, f"{ASKED}&ticket={await ann.ticket()}")
    path = f"/api/streams/{events[0].data['stream_id']}"

    assert (await ann.ask("GET", path)).status_code == 200
    assert (await holders["bob"].ask("GET", path)).status_code == 404


async def test_a_ticket_gives_no_other_access(ann: Holder) -> None:
    http = ann.service.http
    used, unused = await ann.ticket(), await ann.ticket()
    _, events = await read(ann.service, f"{ASKED}&ticket={used}")
    other = (await ann.generate()).json()["stream_id"]
    own = events[0].data["stream_id"]

    for ticket in (used, unused):
        assert (await http.get(f"/api/streams/{other}?ticket={ticket}")).status_code == 404
        at = {**EVENTS, "Last-Event-ID": f"{other}-1"}
        assert (await http.get(f"{ASKED}&ticket={ticket}", headers=at)).status_code == 404
    assert (await http.get(f"/api/streams/{own}?ticket={unused}")).status_code == 404
    for method, path in [
        ("POST", "/api/generate"),
        ("POST", "/api/generate/stream"),
        ("DELETE", f"/api/streams/{own}"),
        ("GET", "/api/models"),
        ("GET", "/api/conversations"),
        ("POST", "/api/conversations"),
        ("POST", "/api/tickets"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/responses/resp_1"),
        ("GET", "/metrics"),
    ]:
        for ticket in (used, unused):
            assert (await http.request(method, f"{path}?ticket={ticket}")).status_code == 401, (method, path)
            as_key = {"Authorization": f"Bearer {ticket}"}
            assert (await http.request(method, path, headers=as_key)).status_code == 401, (method, path)


async def test_a_ticket_for_a_stream_reads_that_stream_and_starts_none(ann: Holder) -> None:
    mine, other = [(await ann.generate()).json()["stream_id"] for _ in range(2)]
    ticket, before = await ann.ticket(stream_id=mine), await calls(ann)

    status, events = await read(ann.service, f"/api/streams/{mine}?ticket={ticket}")
    _, rest = await read(ann.service, f"{ASKED}&ticket={ticket}", **{"Last-Event-ID": events[0].id})
    _, [refused] = await read(ann.service, f"{ASKED}&ticket={ticket}")

    assert status == 200
    assert rest == events[1:]
    assert (await read(ann.service, f"/api/streams/{other}?ticket={ticket}"))[0] == 404
    assert refused.data["status"] == 403
    assert await calls(ann) == before


@pytest.mark.parametrize(
    ("name", "wanted", "status"),
    [
        ("reader", {}, 403),
        ("watcher", {}, 403),
        ("watcher", {"stream_id": "1" * 32}, 403),
        ("ann", {"stream_id": "1" * 32}, 410),
        ("ann", {"stream_id": "1"}, 400),
        ("ann", {"stream": "1"}, 422),
        ("chief", {}, 200),
        ("writer", {}, 200),
    ],
)
async def test_a_ticket_needs_a_key_with_a_scope(
    holders: dict[str, Holder], name: str, wanted: dict[str, str], status: int
) -> None:
    answer = await holders[name].ask("POST", "/api/tickets", wanted)

    assert answer.status_code == status


BAD = {
    "expired": made(ago_s=START_S + 1),
    "signed by another": made(secret="another secret, as long as the first"),
    "without its end": made()[:-1],
    "with another end": made() + "A",
    "of an unknown key": made("unknown"),
    "of a revoked key": made("gone"),
    "of an expired key": made("late"),
    "of the anonymous caller": made("anonymous"),
    "empty parts": "..",
    "very long": "A" * 5000,
    "not ASCII": "%C3%A9",
}


@pytest.mark.parametrize("ticket", BAD.values(), ids=BAD)
async def test_an_event_source_can_read_the_error_of_an_invalid_ticket(ann: Holder, ticket: str) -> None:
    before = await calls(ann)

    status, [event] = await read(ann.service, f"{ASKED}&ticket={ticket}")
    plain = await ann.service.http.get(f"{ASKED}&ticket={ticket}&stream=false")

    assert status == 200
    assert (event.data["status"], event.data["code"]) == (401, "unauthenticated")
    assert plain.status_code == 401
    assert plain.headers["www-authenticate"] == "Bearer"
    assert await calls(ann) == before


async def test_a_ticket_resumes_for_as_long_as_a_stream_may_run_and_be_stored(ann: Holder) -> None:
    stream_id = (await ann.generate()).json()["stream_id"]

    late = made(ago_s=START_S + 4000, stream_id=stream_id)
    too_late = made(ago_s=START_S + 3600 + 600 + 1, stream_id=stream_id)

    assert (await read(ann.service, f"/api/streams/{stream_id}?ticket={late}"))[0] == 200
    assert (await read(ann.service, f"/api/streams/{stream_id}?ticket={too_late}"))[0] == 401


async def test_a_ticket_does_not_start_streams_for_longer_than_its_first_is_stored(tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}}, stream_ttl=0.5) as [ann]:
        answer = (await ann.ask("POST", "/api/tickets")).json()
        ticket = answer["ticket"]
        _, events = await read(ann.service, f"{ASKED}&ticket={ticket}")

        async def gone() -> bool:
            path = f"/api/streams/{events[0].data['stream_id']}"
            return bool((await ann.ask("GET", path)).status_code == 410)

        await eventually(gone)
        _, [event] = await read(ann.service, f"{ASKED}&ticket={ticket}")

        assert answer["expires_in"] == 0.5
        assert event.data["status"] in {401, 410}
        assert await calls(ann) == 1


async def test_a_ticket_remains_valid_after_a_refused_start(tmp_path: Path) -> None:
    limits = {"max_streams": 1, "max_queue": 0}
    async with held(tmp_path, {"ann": {}}, **limits) as [ann]:
        ticket, headers = await ann.ticket(), {**ann.header, "X-Artesian-Fault": "gate@1"}
        body = {"prompt": "Hi"}
        async with ann.service.http.stream("POST", "/api/generate/stream", json=body, headers=headers) as response:
            events = events_of(response)
            await anext(events)
            _, [refused] = await read(ann.service, f"{ASKED}&ticket={ticket}")
            await ann.service.bedrock.post("/_local/release")
            assert [event async for event in events][-1].data["done"] is True

        async def started() -> bool:
            _, answered = await read(ann.service, f"{ASKED}&ticket={ticket}")
            return bool(answered[-1].data.get("done"))

        assert refused.data["code"] == "overloaded"
        assert await eventually(started)


async def test_a_ticket_has_the_permissions_of_its_key(tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {"models": ["nothing"], "max_tokens": 10}}) as [ann]:
        _, [event] = await read(ann.service, f"{ASKED}&ticket={await ann.ticket()}")

    assert event.data["status"] == 403


async def test_a_ticket_is_valid_at_another_replica_with_the_same_secret(tmp_path: Path) -> None:
    journal = {"journal_url": f"sqlite:///{tmp_path / 'streams.db'}"}
    async with held(tmp_path, {"ann": {}}, **journal) as [ann]:
        ticket = await ann.ticket()
        _, events = await read(ann.service, f"{ASKED}&ticket={ticket}")
        other = {"api_keys_file": str(tmp_path / "keys.json"), **journal}
        async with (
            held(tmp_path, {"bob": {}}, **other) as [bob],
            held(tmp_path, {"eve": {}}, **other, secret_key="not the secret of the others") as [eve],
        ):
            status, there = await read(bob.service, f"/api/streams/{events[0].data['stream_id']}?ticket={ticket}")
            _, again = await read(bob.service, f"{ASKED}&ticket={ticket}")
            _, [refused] = await read(eve.service, f"{ASKED}&ticket={ticket}")

            assert status == 200
            assert text_of(there) == text_of(again) == text_of(events)
            assert await calls(bob) == 0
            assert refused.data["status"] == 401


async def test_tickets_work_without_keys() -> None:
    async with running() as service:
        ticket = (await service.http.post("/api/tickets")).json()["ticket"]
        _, events = await read(service, f"{ASKED}&ticket={ticket}")
        _, [refused] = await read(service, f"{ASKED}&ticket={made()}")

    assert events[-1].data["done"] is True
    assert refused.data["status"] == 401


async def test_the_tickets_of_a_revoked_key_are_rejected(tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}, "bob": {}}) as [ann, _]:
        ticket = await ann.ticket()
        revoke(tmp_path / "keys.json", "ann")

        async def refused() -> bool:
            _, events = await read(ann.service, f"{ASKED}&ticket={ticket}")
            return bool(events[-1].data.get("status") == 401)

        await eventually(refused)
        assert add_key(tmp_path / "keys.json", "carl")


async def test_a_browser_reconnects_after_a_cut(ann: Holder) -> None:
    """EventSource keeps the URL and adds `Last-Event-ID`."""
    ticket, before = await ann.ticket(), await calls(ann)
    address = f"{ASKED}&ticket={ticket}"
    seen = []
    async with ann.service.http.stream("GET", address, headers=EVENTS) as response:
        async for event in events_of(response):
            seen.append(event)
            if event.name == "message":
                break
    _, rest = await read(ann.service, address, **{"Last-Event-ID": seen[-1].id})

    assert [event.n for event in [*seen, *rest]] == list(range(1, len(seen) + len(rest) + 1))
    assert rest[-1].data["done"] is True
    assert await calls(ann) == before + 1
