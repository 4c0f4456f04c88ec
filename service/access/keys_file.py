"""The file of keys: read whole, written whole, by one writer at a time.

A reader never sees half of it: a new file takes the old one's place. Two that write wait for each other.
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
        SettingsError: the file is not there, cannot be read, or is wrong: one line for each mistake.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise _wrong(f"Keys file {path} not found. {_HOW}") from None
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}") from error
    return parse(text, path)


def read_some(path: str) -> list[KeyEntry]:
    """Read the keys of a service that starts: without one nobody could ask it anything.

    Raises:
        SettingsError: there is none, or the file cannot be used.
    """
    keys = read(path)
    if not keys:
        raise _wrong(f"{path} holds no key. {_HOW}")
    return keys


def parse(text: bytes, path: str) -> list[KeyEntry]:
    """Read what stands in a file of keys.

    Raises:
        SettingsError: it is wrong: one line for each mistake, which names the entry and holds no hash.
    """
    if not text.strip():
        raise _wrong(f"{path} is empty. {_HOW}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno} column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _wrong(f"{path} should be JSON, and is none{where}") from None
    if not (isinstance(content, dict) and content.keys() == {"keys"} and isinstance(content["keys"], list)):
        raise _wrong(f'{path} should be {{"keys": [...]}}, with an object for each key')
    lines: list[str] = []
    keys: list[KeyEntry] = []
    for number, entry in enumerate(content["keys"]):
        try:
            keys.append(KeyEntry.model_validate(entry))
        except ValidationError as error:
            lines += [_line(number, entry, mistake) for mistake in error.errors(include_input=False)]
    lines += _twice(keys)
    if lines:
        raise SettingsError(lines[:_MOST_LINES])
    return keys


def _wrong(sentence: str) -> SettingsError:
    return SettingsError([f"{VARIABLE}: {sentence}"])


def _line(number: int, entry: Any, mistake: Any) -> str:
    """Say what is wrong with an entry, and which one it is: its place, and its name where it has one."""
    where = ".".join(["keys", str(number), *map(str, mistake["loc"])])
    name = entry.get("name") if isinstance(entry, dict) else None
    of = f" of the key named {name!r}" if isinstance(name, str) else ""
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        message = f"is not a member of a key; there are {', '.join(KeyEntry.model_fields)}"
    elif mistake["type"] == "missing":
        message = "is needed"
    return f"{VARIABLE} ({where}){of}: {message}"


def _twice(keys: Sequence[KeyEntry]) -> Iterator[str]:
    """Name what two entries have in common and may not."""
    ids: set[str] = set()
    hashes: set[str] = set()
    for key in keys:
        if key.id in ids:
            yield f"{VARIABLE}: two keys have the id {key.id}"
        if key.sha256 in hashes:
            yield f"{VARIABLE}: the entry {key.id} holds the same key as another one"
        ids.add(key.id)
        hashes.add(key.sha256)


@contextmanager
def editing(path: str) -> Iterator[list[KeyEntry]]:
    """Give the keys, none where there is no file; what they are when the block ends is written.

    Raises:
        SettingsError: the file is wrong, and stays as it is.
        OSError: it cannot be written.
    """
    target = Path(path).resolve()  # a link stays one
    with _locked(target.parent):
        keys = read(str(target)) if target.exists() and target.stat().st_size else []
        yield keys
        _write(target, keys)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one writer into a folder at a time. The file cannot be locked: each write puts another in its place."""
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
    """Leave the file to whom it belongs: the service may run as another user than the one who makes keys.

    What others may not read they cannot be given, and a group keeps what it could.
    """
    with suppress(FileNotFoundError, PermissionError):
        status = target.stat()
        os.chown(written, status.st_uid, status.st_gid)
        written.chmod(stat.S_IMODE(status.st_mode) & 0o660)
