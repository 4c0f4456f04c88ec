"""Two keys: neither has access to anything of the other."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.access.holders import EVENTS, Holder, held
from tests.harness import Json, events_of
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORD = "Chrysanthemum"
KEY = {"Idempotency-Key": "the-same"}
RESUMED = [
    ("GET", "/api/generate"),
    ("POST", "/api/generate"),
    ("POST", "/api/generate/stream"),
    ("GET", "/api/streams/{}"),
    ("POST", f"/api/conversations/{'1' * 32}/messages"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/responses/resp_{}"),
    ("POST", "/v1/messages"),
]


@pytest.fixture
def ann(holders: dict[str, Holder]) -> Holder:
    return holders["ann"]


@pytest.fixture
def bob(holders: dict[str, Holder]) -> Holder:
    return holders["bob"]


@pytest_asyncio.fixture(loop_scope="module")
async def stream_id(ann: Holder) -> AsyncIterator[str]:
    """A finished stream of the key `ann`."""
    answer = (await ann.generate(prompt=f'Say "{WORD}"')).json()
    assert WORD in answer["text"]
    yield answer["stream_id"]


async def refused(holder: Holder, method: str, path: str, json: Any = None, **headers: str) -> Any:
    """Check that another key's resource is 404 without its content."""
    answer = await holder.ask(method, path, json, **headers)
    assert answer.status_code == 404, (method, path, answer.text)
    assert WORD not in answer.text
    return answer


@pytest.mark.parametrize("form", ["native", "chat", "responses", "messages"])
async def test_a_stream_is_read_by_its_own_key_only(ann: Holder, bob: Holder, stream_id: str, form: str) -> None:
    path = f"/api/streams/{stream_id}?format={form}"

    assert WORD in (await ann.ask("GET", path)).text
    for accept in ("text/event-stream", "application/json"):
        await refused(bob, "GET", path, Accept=accept)


@pytest.mark.parametrize(("method", "path"), RESUMED, ids=[" ".join(each) for each in RESUMED])
async def test_no_key_resumes_the_stream_of_another(bob: Holder, stream_id: str, method: str, path: str) -> None:
    body: Json = {"prompt": "Hi"}

    for number in (0, 1, 10**9):
        at = {"Last-Event-ID": f"{stream_id}-{number}"}
        await refused(bob, method, path.format(stream_id), body if method == "POST" else None, **EVENTS, **at)


async def test_no_key_cancels_the_stream_of_another(ann: Holder, bob: Holder) -> None:
    async with ann.service.http.stream(
        "POST",
        "/api/generate/stream",
        json={"prompt": f'Say "{WORD}"'},
        headers={**ann.header, "X-Artesian-Fault": "stall@1"},
    ) as response:
        events = events_of(response)
        first = await anext(events)
        path = f"/api/streams/{first.data['stream_id']}"

        await refused(bob, "DELETE", path)
        await refused(bob, "DELETE", f"{path}?purge=true")
        state = (await ann.ask("GET", path, Accept="application/json")).json()["state"]
        assert state in {"starting", "streaming"}
        assert (await ann.ask("DELETE", path)).json()["state"] == "cancelled"


async def test_an_idempotency_key_belongs_to_its_api_key(ann: Holder, bob: Holder) -> None:
    first, second = [await holder.ask("POST", "/api/generate", {"prompt": "Hi"}, **KEY) for holder in (ann, bob)]
    again = await ann.ask("POST", "/api/generate", {"prompt": "Hi"}, **KEY)
    another = await bob.ask("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, **KEY)

    assert first.status_code == second.status_code == 200
    assert first.json()["stream_id"] == again.json()["stream_id"] != second.json()["stream_id"]
    assert another.status_code == 422  # it differs from bob's earlier body; ann's is irrelevant


async def test_a_conversation_is_read_by_its_own_key_only(ann: Holder, bob: Holder) -> None:
    made = (await ann.ask("POST", "/api/conversations", {"title": WORD})).json()
    path = f"/api/conversations/{made['id']}"
    message, sent = {"content": f'Say "{WORD}"'}, {"Idempotency-Key": "of-a-send"}
    reply = (await ann.ask("POST", f"{path}/messages", message, **sent)).json()
    assert WORD in reply["text"]

    for method, address, body in [
        ("GET", path, None),
        ("PATCH", path, {"title": "Mine"}),
        ("DELETE", path, None),
        ("POST", f"{path}/messages", message),
        ("POST", f"{path}/messages", message | {"stream": True}),
        ("POST", f"{path}/messages", message | {"replaces": reply["message_id"]}),
    ]:
        await refused(bob, method, address, body)
        await refused(bob, method, address, body, **sent)
    assert (await bob.ask("GET", "/api/conversations")).json()["conversations"] == []
    page = (await ann.ask("GET", "/api/conversations?limit=1")).json()
    kept = (await ann.ask("GET", path)).json()
    assert kept["title"] == WORD
    assert [conversation["id"] for conversation in page["conversations"]] == [made["id"]]


async def test_the_cursor_of_another_key_gives_no_access(ann: Holder, bob: Holder) -> None:
    for _ in range(2):
        await ann.ask("POST", "/api/conversations", {"title": WORD})
    cursor = (await ann.ask("GET", "/api/conversations?limit=1")).json()["next_cursor"]

    answer = await bob.ask("GET", f"/api/conversations?cursor={cursor}")

    assert WORD not in answer.text
    assert answer.json().get("conversations", []) == []


async def test_a_response_is_read_by_its_own_key_only(ann: Holder, bob: Holder) -> None:
    response = (await ann.ask("POST", "/v1/responses", {"input": f'Say "{WORD}"'})).json()
    path = f"/v1/responses/{response['id']}"
    assert WORD in (await ann.ask("GET", path)).text
    input_item, output_item = (
        (await ann.ask("GET", f"{path}/input_items")).json()["data"][0]["id"],
        response["output"][0]["id"],
    )

    for method, address in [
        ("GET", path),
        ("GET", f"{path}?stream=true"),
        ("GET", f"{path}?stream=true&starting_after=1"),
        ("GET", f"{path}/input_items"),
        ("POST", f"{path}/cancel"),
        ("DELETE", path),
    ]:
        await refused(bob, method, address)

    going_on = await bob.ask("POST", "/v1/responses", {"input": "What?", "previous_response_id": response["id"]})
    assert going_on.status_code == 400
    assert going_on.json()["error"]["code"] == "previous_response_not_found"
    for item in (input_item, output_item):
        reference = [{"type": "item_reference", "id": item}, {"role": "user", "content": "What was said?"}]
        for holder, status in ((ann, 200), (bob, 400)):
            answer = await holder.ask("POST", "/v1/responses", {"input": reference})
            assert answer.status_code == status, answer.text
        assert WORD not in answer.text
    assert WORD in (await ann.ask("GET", path)).text


async def test_a_response_that_only_the_database_has_is_read_by_its_own_key_only(tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}, "bob": {}}, stream_ttl=0.2) as (ann, bob):
        response = (await ann.ask("POST", "/v1/responses", {"input": f'Say "{WORD}"'})).json()
        path, stream_id = f"/v1/responses/{response['id']}", response["id"].removeprefix("resp_")

        async def gone() -> bool:
            return bool((await ann.ask("GET", f"/api/streams/{stream_id}")).status_code == 410)

        await eventually(gone)

        assert WORD in (await ann.ask("GET", path)).text
        for method, address in [("GET", path), ("GET", f"{path}/input_items"), ("DELETE", path)]:
            await refused(bob, method, address)
        assert WORD in (await ann.ask("GET", path)).text


async def test_a_ticket_has_no_more_access_than_its_owner(bob: Holder, stream_id: str) -> None:
    answer = await bob.ask("POST", "/api/tickets", {"stream_id": stream_id})
    ticket = await bob.ticket()

    assert answer.status_code == 404
    with_ticket = await bob.service.http.get(f"/api/streams/{stream_id}?ticket={ticket}")
    assert with_ticket.status_code == 404
    assert WORD not in with_ticket.text


async def test_an_admin_reads_no_stream_of_another_key(holders: dict[str, Holder], stream_id: str) -> None:
    await refused(holders["chief"], "GET", f"/api/streams/{stream_id}")
