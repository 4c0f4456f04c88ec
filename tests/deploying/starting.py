"""The variables that a deployment gives to a process, and whether the process starts with them."""

import re
from collections.abc import Mapping

from service.server import CLOSE_S
from service.settings import Settings, read_settings
from tests.deploying.manifests import DEPLOY, ROOT, SLACK_S

# Values of the deployment's secrets, which are not in its files.
SECRETS = {
    "ARTESIAN_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "ARTESIAN_ENCRYPTION_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "ARTESIAN_JOURNAL_URL": "valkeys://:secret@valkey.example:6379",
    "ARTESIAN_DATABASE_URL": "postgresql+asyncpg://artesian:secret@postgres.example:5432/artesian?ssl=require",
}
KNOWN = set(re.findall(r"^(ARTESIAN_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def image_variables() -> dict[str, str]:
    """Return the variables of the image."""
    words = re.findall(r"^ENV ((?:.+\\\n)*.+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[-1]
    return dict(pair.split("=", 1) for pair in words.replace("\\\n", " ").split())


def started(variables: Mapping[str, str]) -> Settings:
    """Read the settings as the process in the image would; an unknown variable with its prefix is an error.

    Raises:
        SettingsError: it would not start.
    """
    given = {name: value for name, value in (image_variables() | dict(variables)).items() if "ARTESIAN_" in name}
    assert given.keys() <= KNOWN
    fields = {name.removeprefix("ARTESIAN_").lower(): value for name, value in given.items() if value}
    return read_settings(**fields, _env_file=None)


def longest_end_s(settings: Settings) -> float:
    """Return the longest time from SIGTERM to the end of the process, plus some seconds."""
    return settings.drain_timeout + CLOSE_S + SLACK_S
