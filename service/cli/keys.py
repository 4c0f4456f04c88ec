"""`artesian keys`: creates, lists and revokes API keys. A running service reloads the file by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import FAILED, WRONG_USE, fail, fail_settings

if TYPE_CHECKING:
    from datetime import datetime

    from service.access.keys import KeyEntry

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

File = Annotated[str | None, typer.Option("--file", help="The keys file. Default: ARTESIAN_API_KEYS_FILE.")]
Count = Annotated[int | None, typer.Option(min=1)]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what the key is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="generate, read, metrics or admin (all of them); repeatable. [default: generate, read]"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model id or alias, with the wildcards `*` and `?`; repeatable. [default: all]"),
    ] = None,
    requests_per_minute: Count = None,
    tokens_per_minute: Count = None,
    streams: Annotated[int | None, typer.Option(min=1, help="Concurrent generations.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Maximum output tokens per answer.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="12h, 90d, 4w, or a date such as 2027-01-31. [default: never]")
    ] = None,
    file: File = None,
) -> None:
    """Create an API key. It is printed once, as the last line; only its hash is stored."""
    from datetime import UTC, datetime

    from service.access.keys import hash_key, new_id, new_key

    now = datetime.now(UTC)
    made = new_key()
    entry = _entry(
        id=new_id(),
        name=name,
        sha256=hash_key(made).hex(),
        scopes=scope or ["generate", "read"],
        models=model or ["*"],
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        streams=streams,
        max_tokens=max_tokens,
        expires=_expiry(expires, now) if expires else None,
        created=now,
    )
    with _edit(_path(file)) as entries:
        entries.append(entry)
    typer.echo(f"{entry.id}, {entry.name}: {_permissions(entry)}\nOnly its hash is stored. Copy the key now:\n\n{made}")


@keys.command("list")
def list_keys(
    file: File = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON, without the hashes.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """List the keys: id, state, name and permissions."""
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    entries = _read(_path(file))
    if as_json:
        shown = [entry.model_dump(mode="json", exclude={"sha256"}) | {"state": _state(entry, now)} for entry in entries]
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for entry in entries:
        typer.echo("\t".join((entry.id, _state(entry, now), entry.name, _permissions(entry))))


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `artesian keys list` shows it.")],
    file: File = None,
) -> None:
    """Revoke a key: new requests with it are rejected. Running generations continue."""
    from datetime import UTC, datetime

    path = _path(file)
    with _edit(path) as entries:
        place = next((number for number, entry in enumerate(entries) if entry.id == key_id), None)
        if place is None:
            fail(f"No key {key_id} in {path}. List the keys with: artesian keys list", FAILED)
        entry = entries[place]
        if entry.revoked is None:
            entries[place] = entry.model_copy(update={"revoked": datetime.now(UTC)})
    typer.echo(f"{entry.id}, {entry.name}: {'revoked' if entry.revoked is None else 'was already revoked'}.")


def _entry(**members: object) -> "KeyEntry":
    from pydantic import ValidationError

    from service.access.keys import KeyEntry

    try:
        return KeyEntry.model_validate(members)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        option = str(first["loc"][0]).removesuffix("s")  # several scopes come by one --scope each
        fail(f"--{option}: {first['msg'].removeprefix('Value error, ').replace('Input should', 'must')}", WRONG_USE)


def _expiry(expires: str, now: "datetime") -> "datetime":
    from service.access.keys import parse_expiry

    try:
        return parse_expiry(expires, now)
    except ValueError as error:
        fail(f"--expires: {error}", WRONG_USE)


def _path(file: str | None) -> str:
    """Return the path of the keys file: `file`, else the service's setting."""
    if file:
        return file
    from service.cli.serving import settings_or_exit

    path = settings_or_exit().api_keys_file
    if not path:
        fail("No keys file is named. Set ARTESIAN_API_KEYS_FILE, for the service too, or add --file.", WRONG_USE)
    return path


@contextmanager
def _edit(path: str) -> Iterator[list["KeyEntry"]]:
    from service.access.keys_file import edit
    from service.settings import SettingsError

    try:
        with edit(path) as entries:
            yield entries
    except SettingsError as error:
        fail_settings(error)
    except OSError as error:
        fail(f"Cannot write {path}: {error.strerror}.", FAILED)


def _read(path: str) -> list["KeyEntry"]:
    from service.access.keys_file import read
    from service.settings import SettingsError

    try:
        return read(path)
    except SettingsError as error:
        fail_settings(error)


def _state(entry: "KeyEntry", now: "datetime") -> str:
    if entry.revoked is not None:
        return "revoked"
    return "expired" if entry.invalid_reason(now) else "good"


def _permissions(entry: "KeyEntry") -> str:
    """Describe a key's permissions in one line."""
    from service.access.keys import format_time

    bounds = {
        "requests a minute": entry.requests_per_minute,
        "tokens a minute": entry.tokens_per_minute,
        "concurrent streams": entry.streams,
        "tokens an answer": entry.max_tokens,
    }
    permissions = [" ".join(entry.scopes), f"models {' '.join(entry.models)}"]
    permissions += [f"{bound} {of}" for of, bound in bounds.items() if bound is not None]
    if entry.expires is not None:
        permissions.append(f"until {format_time(entry.expires)}")
    return ", ".join(permissions)
