"""What is tried before the service starts, so that a setting that cannot be used is one line and not a traceback."""

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.settings import Settings


def try_families(settings: "Settings") -> None:
    """See whether the families that aliases name are ones.

    Raises:
        SettingsError: some are not.
    """
    from service.bedrock.catalog.resolution import FAMILY_NAMES
    from service.settings import SettingsError

    told = {name: alias.family for name, alias in settings.model_aliases.items() if alias.family is not None}
    names = ", ".join(sorted(FAMILY_NAMES))
    if wrong := [
        f"ARTESIAN_MODEL_ALIASES ({name}.family): there is no family {family}; it should be one of {names}"
        for name, family in told.items()
        if family not in FAMILY_NAMES
    ]:
        raise SettingsError(wrong)


def try_local_port(settings: "Settings") -> None:
    """See whether the built-in Bedrock can listen where the settings say.

    Raises:
        OSError: it names the address, and why nobody can listen there.
    """
    if settings.local_port == 0:
        return
    try:
        socket.create_server(("127.0.0.1", settings.local_port)).close()
    except OSError as error:
        where = f"ARTESIAN_LOCAL_PORT: 127.0.0.1 port {settings.local_port}"
        raise OSError(error.errno, f"{where} cannot be listened on: {error.strerror}") from error


def try_journal(settings: "Settings") -> None:
    """See whether streams can be kept where the settings say.

    Raises:
        SettingsError: the address cannot be used, or what is kept there is encrypted with another key.
    """
    from service.encryption import open_seal
    from service.streams import factory

    asyncio.run(factory.try_journal(settings.journal_url, seal=open_seal(settings.encryption_key)))
