"""`artesian serve` and `artesian local-bedrock`: the commands that run until they are stopped."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import fail_os, fail_settings
from service.cli.preflight import check_families, check_journal, check_local_port
from service.extras import check_extras

if TYPE_CHECKING:
    from subprocess import Popen

    from service.settings import Settings

_POLL_S = 0.02

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free port.")]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (ARTESIAN_HOST).")] = None,
    port: Port = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (ARTESIAN_WORKERS).")] = None,
) -> None:
    """Run the service."""
    overrides = {"host": host, "port": port, "workers": workers}
    settings = settings_or_exit(**{name: value for name, value in overrides.items() if value is not None})
    from service.telemetry.logs import configure_logs

    configure_logs(settings.log_format, settings.log_level)
    from service.settings import SettingsError

    try:
        check_extras(settings)
        check_families(settings)
        if settings.backend == "local":
            check_local_port(settings)
        check_journal(settings)
        if settings.workers > 1:
            _serve_workers(settings)
        else:
            from service import server
            from service.app import create_app

            server.serve(settings, create_app(settings))
    except SettingsError as error:
        fail_settings(error)
    except OSError as error:
        fail_os(error)
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal again after its shutdown: Ctrl-C is the normal end of this command


def _serve_workers(settings: "Settings") -> None:
    from service.access import keys_file
    from service.access.tickets import open_tickets
    from service.server import serve_workers
    from service.telemetry.multiprocess import shared_folder

    if settings.api_keys_file:
        keys_file.read_some(settings.api_keys_file)  # an error in it is reported once and not by each worker
    with shared_folder(), _separate_local_bedrock(settings) as port:
        os.environ |= {"ARTESIAN_LOCAL_PORT": str(port), "ARTESIAN_WORKERS": str(settings.workers)}
        os.environ |= {"ARTESIAN_HOST": settings.host, "ARTESIAN_PORT": str(settings.port)}
        os.environ["ARTESIAN_SECRET_KEY"] = open_tickets(settings).secret  # the same in each worker
        serve_workers(settings, f"http://127.0.0.1:{port}" if port else None)


@contextmanager
def _separate_local_bedrock(settings: "Settings") -> Iterator[int]:
    """Run one local Bedrock for all workers, in a separate process; yield its port (0: the backend is AWS)."""
    if settings.backend != "local":
        yield 0
        return
    import subprocess

    port = settings.local_port or _free_port()
    command = [sys.executable, "-m", "service.cli", "local-bedrock", "--port", str(port), "--until-eof"]
    # In its own session, so that Ctrl-C reaches only the service: running generations still need their Bedrock.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        _wait_until_listening(port, process)
        yield port
    finally:
        process.communicate()  # closes its input, which ends it


def _wait_until_listening(port: int, process: "Popen[bytes]") -> None:
    """Wait until the process accepts a connection; exit with its status if it ends first."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(_POLL_S)
        else:
            return
    raise typer.Exit(process.returncode)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def local_bedrock(
    port: Port = None,
    faults: Annotated[
        bool | None, typer.Option(help="Accept faults from the header X-Artesian-Fault (ARTESIAN_LOCAL_FAULTS).")
    ] = None,
    until_eof: Annotated[bool, typer.Option(hidden=True)] = False,  # noqa: FBT002 - a flag
) -> None:
    """Run the local Bedrock emulator alone, for any AWS SDK."""
    overrides = {"local_port": port, "local_faults": faults}
    settings = settings_or_exit(**{name: value for name, value in overrides.items() if value is not None})
    from service.app import local_bedrock as run

    try:
        check_local_port(settings)
    except OSError as error:
        fail_os(error)

    async def serve_until_interrupted() -> None:
        async with run(settings) as url:
            if until_eof:
                await _end_of_input()
                return
            typer.echo(f"Local Bedrock: {url}\n\nPoint an SDK at it: AWS_ENDPOINT_URL_BEDROCK_RUNTIME={url}")
            await _interrupted()

    asyncio.run(serve_until_interrupted())


async def _end_of_input() -> None:
    """Wait until the parent process closes our standard input, or dies."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, lambda: ended.set() if not os.read(sys.stdin.fileno(), 1024) else None)
    await ended.wait()


async def _interrupted() -> None:
    """Wait for SIGINT or SIGTERM."""
    import signal

    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    await interrupted.wait()


def settings_or_exit(**overrides: object) -> "Settings":
    """Read the settings; exit with one line per mistake."""
    from service.settings import SettingsError, read_settings

    try:
        return read_settings(**overrides)
    except SettingsError as error:
        fail_settings(error)
