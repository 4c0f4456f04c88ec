"""Checks before the service starts, so that an unusable setting is reported in one line and not as a traceback."""

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.settings import Settings


def check_families(settings: "Settings") -> None:
    """Check the families that model aliases name.

    Raises:
        SettingsError: some do not exist.
    """
    from service.bedrock.catalog.resolution import FAMILY_NAMES
    from service.settings import SettingsError

    families = {name: alias.family for name, alias in settings.model_aliases.items() if alias.family is not None}
    names = ", ".join(sorted(FAMILY_NAMES))
    if wrong := [
        f'ARTESIAN_MODEL_ALIASES ({name}.family): unknown family "{family}"; use one of {names}'
        for name, family in families.items()
        if family not in FAMILY_NAMES
    ]:
        raise SettingsError(wrong)


def check_local_port(settings: "Settings") -> None:
    """Check that the port of the local Bedrock is free.

    Raises:
        OSError: with our sentence as `strerror`.
    """
    if settings.local_port == 0:
        return
    from service.server import port_error

    try:
        socket.create_server(("127.0.0.1", settings.local_port)).close()
    except OSError as error:
        raise port_error(error, "127.0.0.1", settings.local_port, "ARTESIAN_LOCAL_PORT") from error


def check_journal(settings: "Settings") -> None:
    """Check that the journal can be opened.

    Raises:
        SettingsError: it cannot, or its streams are encrypted with another key.
    """
    from service.encryption import open_seal
    from service.streams import factory

    asyncio.run(factory.try_journal(settings.journal_url, seal=open_seal(settings.encryption_key)))
