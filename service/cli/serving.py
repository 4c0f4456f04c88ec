"""`artesian serve` and `artesian local-bedrock`: what runs until it is stopped."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from service.cli.trying import try_families, try_journal, try_local_port

if TYPE_CHECKING:
    from subprocess import Popen

    from service.settings import Settings, SettingsError

_LOOK_AGAIN_S = 0.02

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Where to listen; 0: any free port.")]


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
        try_families(settings)
        if settings.backend == "local":
            try_local_port(settings)
        try_journal(settings)
        if settings.workers > 1:
            _serve_workers(settings)
        else:
            _serve_here(settings)
    except SettingsError as error:
        stop_at(error)
    except OSError as error:
        stop_without(error)
    except KeyboardInterrupt:
        pass  # uvicorn raises the signal anew once all is closed: Ctrl-C is how this command ends


def _serve_here(settings: "Settings") -> None:
    from service.app import create_app
    from service.server import serve

    serve(settings, create_app(settings))


def _serve_workers(settings: "Settings") -> None:
    from service.access import keys_file
    from service.access.tickets import open_tickets
    from service.server import serve_workers
    from service.telemetry.multiprocess import shared_folder

    if settings.api_keys_file:
        keys_file.read_some(settings.api_keys_file)  # what is wrong with it is told once, and not by each worker
    with shared_folder(), _local_bedrock_outside(settings) as port:
        os.environ |= {"ARTESIAN_LOCAL_PORT": str(port), "ARTESIAN_WORKERS": str(settings.workers)}
        os.environ |= {"ARTESIAN_HOST": settings.host, "ARTESIAN_PORT": str(settings.port)}
        os.environ["ARTESIAN_SECRET_KEY"] = open_tickets(settings).secret  # the same in each worker
        serve_workers(settings, f"http://127.0.0.1:{port}" if port else None)


@contextmanager
def _local_bedrock_outside(settings: "Settings") -> Iterator[int]:
    """Run one local Bedrock for all workers, in a process of its own; the value is its port."""
    if settings.backend != "local":
        yield 0
        return
    import subprocess

    port = settings.local_port or _free_port()
    command = [sys.executable, "-m", "service.cli", "local-bedrock", "--port", str(port), "--until-eof"]
    # In a session of its own, so that Ctrl-C reaches the service alone: the answers under way need their Bedrock.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        _wait_until_it_listens(port, process)
        yield port
    finally:
        process.communicate()  # closes its input, which ends it


def _wait_until_it_listens(port: int, process: "Popen[bytes]") -> None:
    """Wait until a connection is taken, or the process has ended: it has said why."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(_LOOK_AGAIN_S)
        else:
            return
    raise typer.Exit(process.returncode)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def local_bedrock(
    port: Port = None,
    faults: Annotated[bool | None, typer.Option(help="Obey the header X-Artesian-Fault.")] = None,
    until_eof: Annotated[bool, typer.Option(hidden=True)] = False,  # noqa: FBT002 - a flag
) -> None:
    """Run the built-in Bedrock alone: point any AWS SDK's endpoint at it."""
    overrides = {"local_port": port, "local_faults": faults}
    settings = settings_or_exit(**{name: value for name, value in overrides.items() if value is not None})
    from service.app import local_bedrock as run

    try:
        try_local_port(settings)
    except OSError as error:
        stop_without(error)

    async def serve_until_interrupted() -> None:
        async with run(settings) as url:
            if until_eof:
                await _end_of_input()
                return
            typer.echo(f"Local Bedrock: {url}\n\nPoint an SDK at it: AWS_ENDPOINT_URL_BEDROCK_RUNTIME={url}")
            await _interrupted()

    asyncio.run(serve_until_interrupted())


async def _end_of_input() -> None:
    """Wait until whoever started this process closes its input, or dies."""
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
    """Read the settings, or say what is wrong with each and stop."""
    from service.settings import SettingsError, read_settings

    try:
        return read_settings(**overrides)
    except SettingsError as error:
        stop_at(error)


def stop_without(error: OSError) -> NoReturn:
    """Say what the machine does not give, and stop."""
    typer.echo(error.strerror or str(error), err=True)
    raise typer.Exit(1) from None


def stop_at(error: "SettingsError") -> NoReturn:
    """Say what is wrong with the settings, in a line each, and stop."""
    for line in error.lines:
        typer.echo(line, err=True)
    raise typer.Exit(2) from None
