"""`artesian keys`, and a service with the file that it wrote."""

import json
import os
from pathlib import Path

import pytest

from tests.failover import starting
from tests.failover.starting import Ended
from tests.harness import client, running
from tests.waiting import eventually


async def artesian(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Run the command in a folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARTESIAN_")}
    return await starting.ended(list(arguments), clean | environment, folder)


async def keys(folder: Path, *arguments: str) -> Ended:
    """Run `artesian keys`."""
    return await artesian(folder, "keys", *arguments, ARTESIAN_API_KEYS_FILE="keys.json")


def last_line(ended: Ended) -> str:
    """Return the last line, as `tail -1` does."""
    assert ended.status == 0, ended.err
    return ended.out.rstrip("\n").split("\n")[-1]


async def test_a_key_is_printed_once_as_the_last_line_and_is_valid_at_once(tmp_path: Path) -> None:
    first = last_line(await keys(tmp_path, "create", "web"))
    async with running(api_keys_file=str(tmp_path / "keys.json")) as service, client(service.url) as http:
        made = await keys(tmp_path, "create", "phone", "--scope", "read")
        key = last_line(made)
        for each in (first, key):
            assert (await http.get("/api/models", headers={"Authorization": f"Bearer {each}"})).status_code == 200

        listed = json.loads((await keys(tmp_path, "list", "--json")).out)
        assert [entry["name"] for entry in listed] == ["web", "phone"]
        ended = await keys(tmp_path, "revoke", listed[0]["id"])

        assert ended.out == f"{listed[0]['id']}, web: revoked.\n"

        async def refused() -> bool:
            return (await http.get("/api/models", headers={"x-api-key": first})).status_code == 401

        assert await eventually(refused)
        assert (await http.get("/api/models", headers={"x-api-key": key})).status_code == 200
    assert key.startswith("art_")
    assert made.out.count(key) == 1
    written = (tmp_path / "keys.json").read_text()
    shown = (await keys(tmp_path, "list")).out + json.dumps(listed)
    for secret in (first, key):
        assert secret not in written
        assert secret not in shown
    assert "sha256" not in shown


async def test_a_new_keys_permissions_are_printed(tmp_path: Path) -> None:
    made = await keys(
        tmp_path, "create", "batch", "--scope", "generate", "--scope", "metrics", "--model", "anthropic.*",
        "--model", "fast", "--requests-per-minute", "60", "--tokens-per-minute", "9000", "--streams", "3",
        "--max-tokens", "800", "--expires", "2099-01-31",
    )  # fmt: skip
    [entry] = json.loads((tmp_path / "keys.json").read_text())["keys"]

    assert made.status == 0
    assert entry["scopes"] == ["generate", "metrics"]
    assert entry["models"] == ["anthropic.*", "fast"]
    assert (entry["requests_per_minute"], entry["tokens_per_minute"]) == (60, 9000)
    assert (entry["streams"], entry["max_tokens"], entry["expires"]) == (3, 800, "2099-01-31T00:00:00Z")
    listed = (await keys(tmp_path, "list")).out
    assert listed.split("\t")[:3] == [entry["id"], "good", "batch"]
    assert "60 requests a minute" in listed


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (("create", "x", "--scope", "root"), 2, "--scope: must be 'generate'"),
        (("create", "x", "--expires", "soon"), 2, "--expires: must be a time span"),
        (("create", ""), 2, "name: "),
        (("create", "x", "--streams", "0"), 2, "--streams"),
        (("create", "x", "--file", "nowhere/keys.json"), 1, "Cannot write nowhere/keys.json: No such file"),
        (("list",), 2, "keys.json not found. Create it with: artesian keys create NAME"),
        (("revoke", "key_1"), 1, "No key key_1 in"),
    ],
)
async def test_an_error_is_a_sentence_and_a_status(
    tmp_path: Path, arguments: tuple[str, ...], status: int, expected: str
) -> None:
    ended = await keys(tmp_path, *arguments)

    assert ended.status == status
    assert ended.out == ""
    assert expected in ended.err
    assert "Traceback" not in ended.err


async def test_without_a_file_the_error_names_the_setting(tmp_path: Path) -> None:
    ended = await artesian(tmp_path, "keys", "create", "x")

    assert ended.status == 2
    assert "ARTESIAN_API_KEYS_FILE" in ended.err


async def test_a_key_revoked_twice_keeps_its_first_time(tmp_path: Path) -> None:
    await keys(tmp_path, "create", "web")
    [entry] = json.loads((await keys(tmp_path, "list", "--json")).out)
    await keys(tmp_path, "revoke", entry["id"])
    before = (tmp_path / "keys.json").read_text()

    ended = await keys(tmp_path, "revoke", entry["id"])

    assert ended.out == f"{entry['id']}, web: was already revoked.\n"
    assert (tmp_path / "keys.json").read_text() == before
    assert (await keys(tmp_path, "list")).out.split("\t")[1] == "revoked"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "keys.json not found. Create it with: artesian keys create NAME"),
        ("", "keys.json is empty"),
        ('{"keys": []}', "keys.json has no keys. Create it with: artesian keys create NAME"),
        ('{"keys": [{"name": "web"}]}', "(keys.0.id) of the key named 'web': is missing"),
    ],
)
async def test_an_unusable_keys_file_prevents_the_start(
    tmp_path: Path, content: str | None, expected: str, workers: str
) -> None:
    if content is not None:
        (tmp_path / "keys.json").write_text(content)
    journal = {"ARTESIAN_JOURNAL_URL": "sqlite:///streams.db", "ARTESIAN_WORKERS": workers}

    ended = await artesian(tmp_path, "serve", "--port", "0", ARTESIAN_API_KEYS_FILE="keys.json", **journal)

    assert ended.status == 2
    lines = ended.err.splitlines()
    assert all(line.startswith("artesian: ARTESIAN_API_KEYS_FILE") for line in lines)
    assert expected in lines[0]


async def test_other_commands_send_the_key_from_the_environment(tmp_path: Path) -> None:
    key = last_line(await keys(tmp_path, "create", "web"))
    async with running(api_keys_file=str(tmp_path / "keys.json")) as service:
        with_key = await artesian(tmp_path, "ask", 'Say "Accepted."', ARTESIAN_URL=service.url, ARTESIAN_API_KEY=key)
        without = await artesian(tmp_path, "ask", "Hi", ARTESIAN_URL=service.url)

    assert with_key.out == "Accepted.\n"
    assert without.status == 1
    assert without.err.endswith("Set ARTESIAN_API_KEY.\n")
