"""Reads and writes the keys file, one writer at a time.

A write replaces the file as a whole, so a reader never sees a part of it. Concurrent writers wait for each other.
"""

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service.access.keys import KeyEntry
from service.settings import SettingsError

VARIABLE = "ARTESIAN_API_KEYS_FILE"
_MOST_LINES = 20
_HOW = "Create it with: artesian keys create NAME"


def read(path: str) -> list[KeyEntry]:
    """Read every key.

    Raises:
        SettingsError: the file is missing, unreadable or invalid: one line for each error.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise _error(f"Keys file {path} not found. {_HOW}") from None
    except OSError as error:
        raise _error(f"{path} cannot be read: {error.strerror}") from error
    return parse(text, path)


def read_some(path: str) -> list[KeyEntry]:
    """Read the keys for the start of a service, which needs at least one.

    Raises:
        SettingsError: there is none, or the file cannot be used.
    """
    keys = read(path)
    if not keys:
        raise _error(f"{path} has no keys. {_HOW}")
    return keys


def parse(text: bytes, path: str) -> list[KeyEntry]:
    """Parse the content of a keys file.

    Raises:
        SettingsError: it is invalid: one line for each error, which names the entry and contains no hash.
    """
    if not text.strip():
        raise _error(f"{path} is empty. {_HOW}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno} column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _error(f"{path} must be JSON{where}") from None
    if not (isinstance(content, dict) and content.keys() == {"keys"} and isinstance(content["keys"], list)):
        raise _error(f'{path} must be {{"keys": [...]}}, with an object for each key')
    lines: list[str] = []
    keys: list[KeyEntry] = []
    for number, entry in enumerate(content["keys"]):
        try:
            keys.append(KeyEntry.model_validate(entry))
        except ValidationError as error:
            lines += [_describe(number, entry, mistake) for mistake in error.errors(include_input=False)]
    lines += _duplicates(keys)
    if lines:
        raise SettingsError(lines[:_MOST_LINES])
    return keys


def _error(sentence: str) -> SettingsError:
    return SettingsError([f"{VARIABLE}: {sentence}"])


def _describe(number: int, entry: Any, mistake: Any) -> str:
    """Describe an error of an entry by its path, and by the key's name if it has one."""
    where = ".".join(["keys", str(number), *map(str, mistake["loc"])])
    name = entry.get("name") if isinstance(entry, dict) else None
    of = f" of the key named {name!r}" if isinstance(name, str) else ""
    message = mistake["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if mistake["type"] == "extra_forbidden":
        message = f"is not a member of a key; the members are {', '.join(KeyEntry.model_fields)}"
    elif mistake["type"] == "missing":
        message = "is missing"
    return f"{VARIABLE} ({where}){of}: {message}"


def _duplicates(keys: Sequence[KeyEntry]) -> Iterator[str]:
    """Describe what two entries have in common and must not."""
    ids: set[str] = set()
    hashes: set[str] = set()
    for key in keys:
        if key.id in ids:
            yield f"{VARIABLE}: two keys have the id {key.id}"
        if key.sha256 in hashes:
            yield f"{VARIABLE}: the entry {key.id} has the same key as another entry"
        ids.add(key.id)
        hashes.add(key.sha256)


@contextmanager
def edit(path: str) -> Iterator[list[KeyEntry]]:
    """Yield the keys (none if there is no file) to be changed in the block, and write them at its end.

    Raises:
        SettingsError: the file is invalid; it is not changed.
        OSError: it cannot be written.
    """
    target = Path(path).resolve()  # a symbolic link remains one
    with _locked(target.parent):
        keys = read(str(target)) if target.exists() and target.stat().st_size else []
        yield keys
        _write(target, keys)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. The file itself cannot be locked, since each write replaces it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(target: Path, keys: Sequence[KeyEntry]) -> None:
    content = {"keys": [key.model_dump(mode="json") for key in keys]}
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # with mode 0600
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(target, written)
        written.replace(target)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def _keep_owner(target: Path, written: Path) -> None:
    """Give the new file the owner of the old one: the service may run as another user than the command.

    Where that is not permitted, a group that could read the old file can read the new one.
    """
    with suppress(FileNotFoundError, PermissionError):
        status = target.stat()
        os.chown(written, status.st_uid, status.st_gid)
        written.chmod(stat.S_IMODE(status.st_mode) & 0o660)
