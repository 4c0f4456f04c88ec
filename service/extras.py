"""The optional dependencies: which extra of pyproject.toml each feature needs, and the sentence when one is missing."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.settings import Settings

SERVER_PACKAGES = frozenset({
    "aioboto3", "aiobotocore", "aiohttp", "aiosqlite", "alembic", "boto3", "botocore", "dotenv", "fastapi",
    "fastapi_offline", "httptools", "itsdangerous", "limits", "msgspec", "prometheus_client", "pydantic",
    "pydantic_settings", "rich", "sqlalchemy", "sse_starlette", "starlette", "structlog", "typer", "uvicorn",
})  # fmt: skip
"""What the extra `server` brings, by import name."""


def missing(feature: str, extra: str) -> str:
    """Return the sentence for a feature whose extra is not installed."""
    return f"{feature} needs the extra \"{extra}\": pip install 'artesian[{extra}]'"


def check_extras(settings: "Settings") -> None:
    """Check that the extras that the settings need are installed.

    Raises:
        SettingsError: one line for each missing extra.
    """
    journal, database = settings.journal_url, settings.database_url
    needed = [
        ("The Valkey journal", "valkey", "redis", not journal.startswith(("memory:", "sqlite:"))),
        ("The PostgreSQL database", "postgres", "asyncpg", database.startswith("postgresql")),
        ("Encryption at rest", "encryption", "cryptography", settings.encryption_key is not None),
        (
            "Trace export",
            "otel",
            "opentelemetry.exporter.otlp.proto.http",
            settings.otel_exporter_otlp_endpoint is not None,
        ),
    ]
    lines = [missing(feature, extra) for feature, extra, module, used in needed if used and not _installed(module)]
    if lines:
        from service.settings import SettingsError

        raise SettingsError(lines)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False
