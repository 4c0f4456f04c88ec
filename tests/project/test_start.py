"""Starting and stopping, as whoever types `make run` sees it."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.project.running import ARTESIAN, running

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

# Ends the process at once when anything but loopback is looked up or connected to.
WITHOUT_NETWORK = """
import os, sys

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in (None, "", "localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1"):
        print("reached for", host, file=sys.stderr, flush=True)
        os._exit(99)

sys.addaudithook(watch)
sys.argv = ["artesian", "serve"]
from service.cli import main
main()
"""


def test_it_tells_where_the_page_is_and_a_line_that_streams() -> None:
    with running() as service:
        (line,) = re.findall(r"curl .+", service.welcome)
        assert f"{service.url}/" in service.welcome
        assert "the local Bedrock at http://127.0.0.1:" in service.welcome
        if not shutil.which("curl"):
            pytest.skip("curl is not here")

        said = subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=30, check=True).stdout

    assert said.startswith("retry: ")
    assert '"done":true' in said


def test_several_workers_tell_the_same() -> None:
    with running(workers="2", journal_url="sqlite:///streams.db") as service:
        (line,) = re.findall(r"curl .+", service.welcome)
        (bedrock,) = re.findall(r"with 2 workers, in front of the local Bedrock at (\S+)", service.welcome)
        ready = httpx.get(f"{service.url}/readyz", timeout=20).json()
        service.stop(signal.SIGTERM)  # its workers too

    assert ready["backend"]["url"] == bedrock
    assert f"{service.url}/api/generate?prompt=" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_when_told(number: signal.Signals) -> None:
    with running() as service:
        said, status = service.stop(number)

    assert status in {0, 128 + number, -number}  # uvicorn hands the signal on when it has finished
    assert "Traceback" not in said


def test_it_stops_cleanly_while_it_streams() -> None:
    with running(drain_timeout="0") as service:
        question = {"prompt": "Tell me all there is.", "max_tokens": 4000}
        with httpx.stream("POST", f"{service.url}/api/generate/stream", json=question) as answer:
            lines = answer.iter_lines()
            assert next(lines)
            service.process.send_signal(signal.SIGINT)
            rest = [line for line in lines if line.startswith("data: ")]
        _, said = service.process.communicate(timeout=20)

    assert '"code":"draining"' in rest[-1]
    assert "Traceback" not in said


def test_it_reaches_for_nothing_outside_this_machine() -> None:
    with running([sys.executable, "-c", WITHOUT_NETWORK]) as service:
        answer = httpx.post(f"{service.url}/api/generate", json={"prompt": "Hello"}, timeout=20)
        ready = httpx.get(f"{service.url}/readyz", timeout=20)
        page = httpx.get(f"{service.url}/docs", timeout=20)
        said, _ = service.stop()

    assert [answer.status_code, ready.status_code, page.status_code] == [200, 200, 200]
    assert "reached for" not in said


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read")
@pytest.mark.counts  # coverage takes megabytes
def test_it_uses_less_than_100_mb_after_its_start() -> None:
    with running() as service:
        folder = Path("/proc") / str(service.process.pid)
        kilobytes = int(re.findall(r"VmRSS:\s+(\d+) kB", folder.joinpath("status").read_text())[0])

    assert kilobytes < 100_000


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with running() as service:
        port = service.url.rpartition(":")[2]
        second = subprocess.run(
            [str(Path(sys.executable).parent / "artesian"), "serve", "--port", port],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert line == f"artesian: Port {port} on 127.0.0.1 is in use. Choose another: ARTESIAN_PORT={int(port) + 1}"


@pytest.mark.parametrize("command", ["serve", "local-bedrock"])
def test_a_port_of_the_local_bedrock_that_is_taken_is_one_clear_line(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = start(tmp_path, command, local_port=str(port), port="0")

    assert started.returncode == 1
    (line,) = started.stderr.splitlines()
    assert line.startswith(f"artesian: Port {port} on 127.0.0.1 is in use. Choose another: ARTESIAN_LOCAL_PORT=")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("url", ["sqlite:///nowhere/streams.db", "valkey://127.0.0.1:port"])
def test_a_journal_that_can_never_be_used_is_one_line_and_the_status_is_2(
    url: str, workers: str, tmp_path: Path
) -> None:
    started = start(tmp_path, journal_url=url, workers=workers, port="0")

    assert started.returncode == 2
    assert started.stdout == ""
    (line,) = started.stderr.splitlines()
    assert line.startswith("artesian: ARTESIAN_JOURNAL_URL: ")


def test_a_journal_under_another_key_is_one_line_and_the_status_is_2(tmp_path: Path) -> None:
    journal = f"sqlite:///{tmp_path}/streams.db"
    with running(journal_url=journal, encryption_key=KEY) as service:
        httpx.post(f"{service.url}/api/generate", json={"prompt": "Hi"}, timeout=20).raise_for_status()

    started = start(tmp_path, journal_url=journal, port="0")

    assert started.returncode == 2
    (line,) = started.stderr.splitlines()
    assert line.startswith("artesian: ARTESIAN_ENCRYPTION_KEY: the journal has streams")


def start(folder: Path, command: str = "serve", **settings: str) -> subprocess.CompletedProcess[str]:
    """Start a command that is to end by itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARTESIAN_")}
    set_up = {f"ARTESIAN_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [ARTESIAN, command], cwd=folder, env=clean | set_up, capture_output=True, text=True, timeout=30, check=False
    )
