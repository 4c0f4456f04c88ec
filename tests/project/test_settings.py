import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, is_loopback, read_settings

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()
ASSIGNED = re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE)
VARIABLES = {
    str(field.validation_alias or f"ARTESIAN_{name.upper()}"): field for name, field in Settings.model_fields.items()
}

# variable -> (a wrong value, a word of the line that says so)
WRONG = {
    "ARTESIAN_BACKEND": ("azure", "local"),
    "ARTESIAN_PORT": ("65536", "65535"),
    "ARTESIAN_WORKERS": ("0", "1"),
    "ARTESIAN_LOCAL_FAULTS": ("perhaps", "bool"),
    "ARTESIAN_LOCAL_TEXT_URL": ("localhost:1234", "http://HOST:PORT"),
    "ARTESIAN_BEDROCK_ENDPOINT_URL": ("ftp://x", "http"),
    "ARTESIAN_MODEL_ALIASES": ("{not json", "JSON"),
    "ARTESIAN_FALLBACKS": ('{"a": "b"}', "list"),
    "ARTESIAN_API": ("grpc", "converse"),
    "ARTESIAN_MAX_RETRIES": ("-1", "0"),
    "ARTESIAN_CONNECT_TIMEOUT": ("0", "0"),
    "ARTESIAN_IDLE_TIMEOUT": ("inf", "finite"),
    "ARTESIAN_REQUEST_TIMEOUT": ("an hour", "number"),
    "ARTESIAN_RETRY_BUDGET": ("1.5", "1"),
    "ARTESIAN_ON_INTERRUPTION": ("panic", "restart"),
    "ARTESIAN_ON_DISCONNECT": ("ignore", "drain"),
    "ARTESIAN_JOURNAL_URL": ("mysql://x", "should be memory://, sqlite:///PATH"),
    "ARTESIAN_DATABASE_URL": ("postgres://x", "should be sqlite+aiosqlite:///PATH or postgresql+asyncpg://"),
    "ARTESIAN_CORS_ORIGINS": ("https://a.example,*", 'Invalid origin "*"'),
    "ARTESIAN_MAX_BODY": ("1.5", "integer"),
    "ARTESIAN_LOG_LEVEL": ("loud", "warning"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("collector:4318", "http"),
    "ARTESIAN_HOST": ("0.0.0.0", "ARTESIAN_API_KEYS_FILE"),
    "ARTESIAN_SECRET_KEY": ("short", "at least 16 characters"),
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("ARTESIAN_", "OTEL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # no .env of the developer's


def test_the_example_lists_every_setting_once() -> None:
    assert sorted(name for name, _ in ASSIGNED) == sorted(VARIABLES)


def test_the_example_as_it_is_changes_no_default() -> None:
    default = Settings()
    Path(".env").write_text(EXAMPLE)

    assert Settings() == default


def test_the_example_writes_each_default_out() -> None:
    written = dict(ASSIGNED)

    for name, field in VARIABLES.items():
        empty = written[name] == ""
        assert empty == (field.default is None or field.default == ()), name


@pytest.mark.parametrize("name", [name for name, _ in ASSIGNED])
def test_a_line_of_meaning_stands_above_each_setting(name: str) -> None:
    assert re.search(rf"^# [^\n]+\n{name}=", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name, _ in ASSIGNED])
def test_the_reference_explains_each_setting(name: str) -> None:
    assert f"`{name.removeprefix('ARTESIAN_')}`" in (ROOT / "docs" / "reference.md").read_text()


@pytest.mark.parametrize(("name", "value", "word"), [(name, *case) for name, case in WRONG.items()], ids=WRONG)
def test_a_wrong_value_is_one_line_that_names_its_variable(
    name: str, value: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        read_settings()

    (line,) = caught.value.lines
    assert line.startswith(name)
    assert word in line
    assert "\n" not in line


def test_two_wrong_values_are_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTESIAN_PORT", "none")
    monkeypatch.setenv("ARTESIAN_LEASE", "-1")

    with pytest.raises(SettingsError) as caught:
        read_settings()

    assert [line.split(":")[0] for line in caught.value.lines] == ["ARTESIAN_PORT", "ARTESIAN_LEASE"]


def test_two_values_that_do_not_go_with_others_are_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTESIAN_WORKERS", "2")
    monkeypatch.setenv("ARTESIAN_HOST", "0.0.0.0")

    with pytest.raises(SettingsError) as caught:
        read_settings()

    assert [line.split(":")[0] for line in caught.value.lines] == ["ARTESIAN_WORKERS", "ARTESIAN_HOST"]


def test_several_workers_need_a_journal_they_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTESIAN_WORKERS", "2")

    with pytest.raises(SettingsError, match="ARTESIAN_JOURNAL_URL"):
        read_settings()

    monkeypatch.setenv("ARTESIAN_JOURNAL_URL", "sqlite:///streams.db")
    assert read_settings().workers == 2


def test_an_open_address_needs_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTESIAN_HOST", "0.0.0.0")
    monkeypatch.setenv("ARTESIAN_ALLOW_ANONYMOUS", "true")

    assert read_settings().host == "0.0.0.0"


def test_keys_make_an_open_address_a_matter_of_course(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTESIAN_HOST", "0.0.0.0")
    monkeypatch.setenv("ARTESIAN_API_KEYS_FILE", "keys.json")

    assert read_settings().host == "0.0.0.0"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTESIAN_CORS_ORIGINS", "https://a.example, https://b.example,")

    assert read_settings().cors_origins == ("https://a.example", "https://b.example")


def test_an_origin_that_was_copied_with_its_slash_is_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTESIAN_CORS_ORIGINS", "https://a.example/,capacitor://localhost")

    assert read_settings().cors_origins == ("https://a.example", "capacitor://localhost")


def test_a_dotenv_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"ARTESIAN_PORT=9000\n\xff\xfe")

    with pytest.raises(SettingsError) as caught:
        read_settings()

    assert caught.value.lines == [".env: is no text in UTF-8 (byte 19)"]


def test_an_alias_is_an_id_or_an_id_with_its_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "ARTESIAN_MODEL_ALIASES", '{"fast": "amazon.nova-micro-v1:0", "mine": {"id": "arn", "family": "nova"}}'
    )

    aliases = read_settings().model_aliases

    assert (aliases["fast"].id, aliases["fast"].family) == ("amazon.nova-micro-v1:0", None)
    assert (aliases["mine"].id, aliases["mine"].family) == ("arn", "nova")


def test_the_dotenv_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ARTESIAN_PORT=9000\nARTESIAN_LEASE=2.5\n")
    monkeypatch.setenv("ARTESIAN_PORT", "9001")

    settings = read_settings()

    assert (settings.port, settings.lease) == (9001, 2.5)


@pytest.mark.parametrize(
    ("runtime", "control", "address"),
    [
        (None, None, None),
        ("http://127.0.0.1:4000", None, "http://127.0.0.1:4000"),
        ("https://vpce-1.bedrock-runtime.example", None, None),
        ("https://vpce-1.bedrock-runtime.example", "https://vpce-1.bedrock.example", "https://vpce-1.bedrock.example"),
    ],
)
def test_the_control_plane_follows_the_runtime_only_on_loopback(
    runtime: str | None, control: str | None, address: str | None
) -> None:
    settings = Settings(bedrock_endpoint_url=runtime, bedrock_control_endpoint_url=control)

    assert settings.control_endpoint_url == address


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_loopback_is_known_by_any_of_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example"])
def test_what_only_looks_like_loopback_is_not(host: str) -> None:
    assert not is_loopback(host)


def test_the_command_says_what_is_wrong_and_exits_with_2(tmp_path: Path) -> None:
    wrong = {**os.environ, "ARTESIAN_PORT": "none", "ARTESIAN_LEASE": "-1"}

    command = subprocess.run(
        [Path(sys.executable).parent / "artesian", "serve"],
        env=wrong,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert command.returncode == 2
    assert [line.split(":")[1] for line in command.stderr.splitlines()] == [" ARTESIAN_PORT", " ARTESIAN_LEASE"]
