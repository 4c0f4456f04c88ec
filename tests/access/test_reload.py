"""Keys that change while a service runs: it reloads the file, and an invalid file changes nothing."""

import json
import logging
from pathlib import Path

import pytest

from tests.access.holders import Holder, add_key, held, revoke
from tests.harness import events_of
from tests.waiting import eventually


async def status(holder: Holder, key: str | None = None) -> int:
    """Send a small request and return the status."""
    headers = {"x-api-key": key or holder.key}
    return int((await holder.service.http.get("/api/conversations", headers=headers)).status_code)


async def test_a_new_key_is_valid_at_once(tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}}) as [ann]:
        assert await status(ann, "art_unknown") == 401
        for number in range(3):
            made = add_key(tmp_path / "keys.json", f"bob{number}")
            assert await status(ann, made) == 200


async def test_a_revoked_key_is_rejected_at_once_and_its_streams_continue(tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}, "bob": {}}) as [ann, bob]:
        body, headers = {"prompt": "Hi"}, {**ann.header, "X-Artesian-Fault": "gate@1"}
        async with ann.service.http.stream("POST", "/api/generate/stream", json=body, headers=headers) as response:
            events = events_of(response)
            first = await anext(events)
            revoke(tmp_path / "keys.json", "ann")

            async def refused() -> bool:
                return await status(ann) == 401

            await eventually(refused)
            resumed = await ann.ask("GET", f"/api/streams/{first.data['stream_id']}")
            await ann.service.bedrock.post("/_local/release")
            last = [event async for event in events][-1]

        assert resumed.status_code == 401
        assert last.data["done"] is True
        assert await status(bob) == 200


@pytest.mark.parametrize("content", ["", "{", '{"keys": [{"id": "x"}]}', None], ids=["cut", "half", "wrong", "gone"])
async def test_an_invalid_file_keeps_the_keys_and_is_logged(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.json"
    async with held(tmp_path, {"ann": {}}) as [ann]:
        good = file.read_text()
        if content is None:
            file.unlink()
        else:
            file.write_text(content)

        async def told() -> bool:
            assert await status(ann) == 200
            return any("ARTESIAN_API_KEYS_FILE" in record.getMessage() for record in caplog.records)

        await eventually(told)
        wrong = [record for record in caplog.records if "The keys are not changed" in record.getMessage()]
        assert {record.levelno for record in wrong} == {logging.ERROR}
        before = len(wrong)
        assert await status(ann, "art_unknown") == 401  # the file is read again, with the same error
        assert sum("The keys are not changed" in record.getMessage() for record in caplog.records) == before
        file.write_text(good)
        made = add_key(file, "bob")

        assert await status(ann, made) == 200


async def test_a_file_without_keys_rejects_all(tmp_path: Path) -> None:
    async with held(tmp_path, {"ann": {}}) as [ann]:
        (tmp_path / "keys.json").write_text('{"keys": []}')

        async def refused() -> bool:
            return await status(ann) == 401

        await eventually(refused)


async def test_changed_permissions_apply_from_the_next_request(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    async with held(tmp_path, {"ann": {}}) as [ann]:
        assert (await ann.generate()).status_code == 200
        content = json.loads(file.read_text())
        content["keys"][0]["scopes"] = ["read"]
        file.write_text(json.dumps(content))

        async def refused() -> bool:
            return bool((await ann.generate()).status_code == 403)

        await eventually(refused)
        assert await status(ann) == 200
