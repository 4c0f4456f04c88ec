"""The keys file: its content, and how it is written."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.access.keys import PREFIX, KeyEntry, hash_key, new_key, parse_expiry
from service.access.keys_file import edit, parse, read, read_some
from service.settings import SettingsError
from tests.access.holders import add_key

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROOT = str(Path(__file__).parents[2])
HASH = hash_key("a key").hex()
GOOD = {"id": "key_1", "name": "web", "sha256": HASH, "created": "2026-11-24T12:00:00Z"}

WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "keys.json is empty. Create it with: artesian keys create NAME"),
    "whitespace": (b" \n", "empty"),
    "no JSON": (b'{"keys": [}', "must be JSON, line 1 column 11"),
    "no UTF-8": (b'{"keys": "\xff"}', "must be JSON"),
    "a bare list": (b"[]", 'must be {"keys": [...]}'),
    "another member": (b'{"key": []}', 'must be {"keys": [...]}'),
    "an object of keys": (b'{"keys": {}}', 'must be {"keys": [...]}'),
    "no object": (b'{"keys": ["art_x"]}', "(keys.0)"),
}
WRONG_ENTRY: dict[str, tuple[dict[str, Any], str]] = {
    "no hash": ({"sha256": None}, "(keys.1.sha256) of the key named 'web'"),
    "the key itself": ({"sha256": "art_secret"}, "must be the SHA-256 of the key"),
    "an unknown scope": ({"scopes": ["root"]}, "(keys.1.scopes.0) of the key named 'web': must be"),
    "no scope": ({"scopes": []}, "(keys.1.scopes)"),
    "no model": ({"models": []}, "(keys.1.models)"),
    "no stream": (
        {"streams": 0},
        "(keys.1.streams) of the key named 'web': must be greater than or equal to 1",
    ),
    "a time without an offset": ({"expires": "2027-01-01T00:00:00"}, "(keys.1.expires)"),
    "an unknown member": ({"limit": 5}, "(keys.1.limit) of the key named 'web': is not a member of a key"),
    "the id of those without a key": ({"id": "anonymous"}, "is reserved for requests without a key"),
    "an id with a blank": ({"id": "key 1"}, "(keys.1.id)"),
    "a name of two lines": ({"name": "a\nb"}, "(keys.1.name)"),
    "an id twice": ({}, "two keys have the id key_0"),
    "a key twice": ({"id": "key_2", "sha256": hash_key("another").hex()}, "key_2 has the same key as another entry"),
}


@pytest.mark.parametrize(("content", "expected"), WRONG.values(), ids=WRONG)
def test_an_invalid_file_is_one_line(content: bytes, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(content, "keys.json")

    [line] = caught.value.lines
    assert line.startswith("ARTESIAN_API_KEYS_FILE")
    assert expected in line


@pytest.mark.parametrize(("members", "expected"), WRONG_ENTRY.values(), ids=WRONG_ENTRY)
def test_an_invalid_entry_is_named_without_its_hash(members: dict[str, Any], expected: str) -> None:
    first = GOOD | {"id": "key_0", "sha256": hash_key("another").hex()}
    second = GOOD | ({"id": "key_0"} if not members else {}) | members

    with pytest.raises(SettingsError) as caught:
        parse(json.dumps({"keys": [first, second]}).encode(), "keys.json")

    [line] = caught.value.lines
    assert line.startswith("ARTESIAN_API_KEYS_FILE")
    assert expected in line
    assert HASH not in line
    assert "art_secret" not in line


def test_each_error_is_a_line() -> None:
    wrong = [GOOD | {"id": f"key_{number}", "sha256": "x", "streams": 0} for number in range(2)]

    with pytest.raises(SettingsError) as caught:
        parse(json.dumps({"keys": wrong}).encode(), "keys.json")

    assert len(caught.value.lines) == 4


def test_a_missing_limit_is_unlimited() -> None:
    [key] = parse(json.dumps({"keys": [GOOD]}).encode(), "keys.json")

    assert key.caller.scopes == ("generate", "read")
    assert key.caller.may_use("anything")
    assert (key.caller.max_tokens, key.caller.streams, key.expires) == (None, None, None)


def test_a_service_does_not_start_without_a_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with pytest.raises(SettingsError, match=r"not found\. Create it with: artesian keys create NAME"):
        read_some(str(file))
    file.write_text('{"keys": []}')
    with pytest.raises(SettingsError, match=r"has no keys\. Create it with: artesian keys create NAME"):
        read_some(str(file))
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_some(str(tmp_path))


def test_a_written_file_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    before = os.umask(0)
    try:
        add_key(file, "web", models=["a.*"], scopes=["read", "metrics"], tokens_per_minute=5, expires=NOW)
    finally:
        os.umask(before)

    [key] = read(str(file))
    assert (key.models, key.scopes, key.tokens_per_minute, key.expires) == (("a.*",), ("read", "metrics"), 5, NOW)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def test_an_invalid_file_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("by hand")

    with pytest.raises(SettingsError):
        add_key(file, "web")

    assert file.read_text() == "by hand"


def test_a_failed_write_leaves_only_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "web")
    before = file.read_bytes()

    def half() -> None:
        with edit(str(file)) as keys:
            keys.append(KeyEntry.model_validate(GOOD | {"name": "\ud800"}))  # cannot be encoded as UTF-8

    with pytest.raises(ValueError, match=r"surrogate|string"):
        half()

    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


def test_a_symbolic_link_remains_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "keys.json"
    link.symlink_to(tmp_path / "there" / "real.json")

    add_key(link, "web")

    assert link.is_symlink()
    assert len(read(str(link))) == 1


WRITER = """
import sys
from service.access.keys import KeyEntry
from service.access.keys_file import edit

for number in range(10):
    name = f"key_{sys.argv[2]}_{number}"
    sha256 = f"{sys.argv[2]}{number}".rjust(64, "0")
    with edit(sys.argv[1]) as keys:
        keys.append(KeyEntry(id=name, name=name, sha256=sha256, created="2026-11-24T12:00:00Z"))
"""


def test_two_writers_wait_for_each_other(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), str(number)], env=os.environ | {"PYTHONPATH": ROOT})
        for number in range(2)
    ]

    assert [writer.wait(30) for writer in writers] == [0, 0]
    assert len(read(str(file))) == 20


def test_a_key_is_256_random_bits_after_a_known_prefix() -> None:
    made = {new_key() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch(r"art_[A-Za-z0-9_-]{43}", key) for key in made)
    assert PREFIX == "art_"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW + timedelta(minutes=90)),
        ("12h", NOW + timedelta(hours=12)),
        ("90d", NOW + timedelta(days=90)),
        ("4w", NOW + timedelta(weeks=4)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T10:00:00+02:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
        (" 2027-01-31T10:00:00Z ", datetime(2027, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_key_expires_after_a_span_or_at_a_time(text: str, expected: datetime) -> None:
    assert parse_expiry(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "0d", "-1d", "5y", "2026-11-24", "2026-02-30", "9999999d", "999999w"])
def test_an_invalid_or_past_expiry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a time span|has passed|too far in the future"):
        parse_expiry(text, NOW)


def test_a_file_remains_readable_by_its_group(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with edit(str(file)) as keys:
        assert not keys
    file.chmod(0o644)

    with edit(str(file)) as keys:
        assert not keys

    assert file.stat().st_mode & 0o777 == 0o640
