"""Every setting, validated. Read once, in `main` and `cli`, and passed by value from there."""

import ipaddress
import json
import os
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.encryption import read_keys
from service.errors import ServiceError

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_ADDRESS = r"^https?://[^/\s]+"
_JOURNAL = r"^(memory://$|sqlite:///.|(valkeys?|rediss?|unix)://.)"
_DATABASE = r"^(sqlite\+aiosqlite://(/.*)?$|postgresql\+asyncpg://.)"
Address = Annotated[str, Field(pattern=_ADDRESS)]

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s*]+", re.IGNORECASE)

_FORMS = {
    _ADDRESS: "an address as http://HOST:PORT or https://HOST",
    _JOURNAL: "memory://, sqlite:///PATH, valkey://HOST:PORT or redis://HOST:PORT",
    _DATABASE: "sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER@HOST/NAME",
}
"""What a pattern means, for whoever does not read patterns."""


class SettingsError(ServiceError):
    """The settings cannot be used: one line for each mistake."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("validation", "\n".join(lines))
        self.lines = lines


class Alias(BaseModel):
    """What a client's name for a model stands for; `family` where an ARN hides it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    family: str | None = None


class Settings(BaseSettings):
    """Each field is `ARTESIAN_` and its name in capitals; `.env.example` lists them all, and a test compares."""

    model_config = SettingsConfigDict(
        env_prefix="ARTESIAN_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    backend: Literal["local", "aws"] = "local"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1)
    local_port: int = Field(default=0, ge=0, le=65535)
    local_rate: float = Field(default=40, ge=0)  # tokens a second of the built-in Bedrock; 0: as fast as it goes
    local_faults: bool = False
    local_text_url: Address | None = None

    region: str | None = None
    profile: str | None = None
    bedrock_endpoint_url: Address | None = None
    bedrock_control_endpoint_url: Address | None = None

    default_model_id: str = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
    model_aliases: Annotated[dict[str, Alias], NoDecode] = {}
    fallbacks: Annotated[dict[str, list[str]], NoDecode] = {}
    api: Literal["auto", "converse", "invoke"] = "auto"

    max_retries: int = Field(default=3, ge=0)  # further attempts after the first
    connect_timeout: Seconds = 5
    first_event_timeout: Seconds = 600  # a model may think in silence for minutes
    fallback_after: Seconds = 30  # the same while another model can be asked
    idle_timeout: Seconds = 120  # between two frames, not in all
    request_timeout: Seconds = 3600  # the whole generation, as AWS advises for long thinking
    retry_budget: float = Field(default=0.1, ge=0, le=1)  # share of the traffic
    breaker: bool = True
    hedge_after: Seconds | None = None
    max_flush_window: SecondsOrZero = 0.02
    expected_token_rate: float = Field(default=10, gt=0)  # tokens a second
    commit_after: SecondsOrZero = 3

    on_interruption: Literal["continue", "restart", "fail"] = "continue"
    on_disconnect: Literal["cancel", "detach", "drain"] = "detach"
    resume_grace: SecondsOrZero = 15
    lease: Seconds = 5
    stream_ttl: Seconds = 600
    stream_memory: int = Field(default=268_435_456, gt=0)  # bytes of log in one process
    heartbeat: Seconds = 10
    send_timeout: Seconds = 30
    keep_alive: Seconds = 75  # longer than a proxy keeps an idle connection: 60 in nginx and in an ALB

    journal_url: str = Field(default="memory://", pattern=_JOURNAL)
    database_url: str = Field(default="sqlite+aiosqlite:///artesian.db", pattern=_DATABASE)
    response_ttl: Seconds = 86_400

    api_keys_file: str | None = None
    allow_anonymous: bool = False
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    secret_key: str | None = Field(default=None, min_length=16, repr=False)
    encryption_key: str | None = Field(default=None, repr=False)  # or several, separated by commas

    max_streams: int = Field(default=1000, ge=1)
    max_queue: int = Field(default=1000, ge=0)
    queue_timeout: SecondsOrZero = 30
    max_body: int = Field(default=26_214_400, ge=1)  # bytes
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    drain_timeout: SecondsOrZero = 25

    log_format: Literal["console", "json"] | None = None  # None: console on a terminal, else json
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otel_exporter_otlp_endpoint: Address | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")

    @field_validator("allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(origin.rstrip("/") for origin in value)  # an address copied from a browser ends in one
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f'Invalid origin "{origin}": include the scheme, e.g. https://app.example.com')
        return origins

    @field_validator("encryption_key")
    @classmethod
    def _keys(cls, value: str | None) -> str | None:
        if value is not None:
            read_keys(value)
        return value

    @field_validator("model_aliases", mode="before")
    @classmethod
    def _short_alias(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {"id": to} if isinstance(to, str) else to for name, to in value.items()}

    # Here and not in pydantic-settings, whose error names neither the variable nor what is wrong with it. Of several
    # validators before a field the last one written runs first.
    @field_validator("model_aliases", "fallbacks", mode="before")
    @classmethod
    def _read_json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"Input should be JSON: {error}") from error

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        mistakes = []
        if self.workers > 1 and self.journal_url == "memory://":
            mistakes.append("ARTESIAN_WORKERS: more than 1 needs an ARTESIAN_JOURNAL_URL other than memory://")
        if not (self.api_keys_file or self.allow_anonymous or is_loopback(self.host)):
            mistakes.append(
                "ARTESIAN_HOST: an address that is not loopback needs ARTESIAN_API_KEYS_FILE "
                "(or ARTESIAN_ALLOW_ANONYMOUS=true, which lets anyone who reaches it spend your money)"
            )
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    @property
    def control_endpoint_url(self) -> str | None:
        """The control plane's address: by default the runtime's where that is on loopback."""
        if self.bedrock_control_endpoint_url or not self.bedrock_endpoint_url:
            return self.bedrock_control_endpoint_url
        return self.bedrock_endpoint_url if is_loopback(urlsplit(self.bedrock_endpoint_url).hostname or "") else None


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without a port) can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_settings(**overrides: Any) -> Settings:
    """Read the environment and `.env`.

    Raises:
        SettingsError: one line for each value that is wrong, with the variable's name.
    """
    overrides.setdefault("region", os.environ.get("ARTESIAN_REGION") or None)
    overrides = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError([line for mistake in error.errors() for line in _line(mistake).splitlines()]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f".env: is no text in UTF-8 (byte {error.start})"]) from error
    except OSError as error:
        raise SettingsError([f".env: cannot be read: {error.strerror}"]) from error


def _line(mistake: Any) -> str:
    where = ".".join(str(part) for part in mistake["loc"][1:])
    name = str(mistake["loc"][0]).upper() if mistake["loc"] else ""
    if name and not name.startswith("OTEL_"):  # OpenTelemetry's own variable has no prefix
        name = f"ARTESIAN_{name}"
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "string_pattern_mismatch":
        message = f"should be {_FORMS[mistake['ctx']['pattern']]}"
    return f"{name}{f' ({where})' if where else ''}: {message}" if name else message
