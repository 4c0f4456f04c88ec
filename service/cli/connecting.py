"""How a command finds a service, and what it says and how it ends when something goes wrong.

Exit statuses: 0 done, 1 failed, 2 wrong use, 3 no service there, 130 interrupted, 141 nobody reads the output.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from service.client import Artesian, ArtesianError

FAILED, WRONG_USE, UNREACHABLE, INTERRUPTED, NO_READER = 1, 2, 3, 130, 141

HOW_TO_START = (
    "Start one with `artesian serve` (or `make run`), name another with ARTESIAN_URL, "
    "or add --local to start one just for this."
)

Local = Annotated[bool, typer.Option("--local", help="Start a service in this process instead of looking for one.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="The model; without it the service's default.")]
System = Annotated[str | None, typer.Option("--system", "-s", help="A system prompt.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="The longest answer, in tokens.")]
Temperature = Annotated[float | None, typer.Option(min=0, max=1, help="0 to 1; without it the model's own.")]

MAX_TOKENS = 2000  # all text models take that many


@contextmanager
def connected(*, local: bool) -> Iterator["Artesian"]:
    """Give a client of the service. What fails in the block ends the command with a sentence and a status."""
    for output in (each for each in (sys.stdout, sys.stderr) if isinstance(each, TextIOWrapper)):
        output.reconfigure(errors="replace")  # half a character of the model's is no reason to fail
    try:
        with _url(local=local) as (url, api_key):
            from service.client import Artesian

            with Artesian(url, api_key=api_key) as artesian:
                yield artesian
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it closes
        raise typer.Exit(NO_READER) from None
    except OSError as error:  # a disk that is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stop(f"{error.strerror or error}.", FAILED)


@contextmanager
def _url(*, local: bool) -> Iterator[tuple[str, str | None]]:
    """Where the service is, and the key for it; `.env` counts as it does for `artesian serve`."""
    from dotenv import dotenv_values

    from service.client.address import find_key, find_url

    try:
        environment = {name: value for name, value in dotenv_values(".env").items() if value} | dict(os.environ)
    except UnicodeDecodeError:
        stop(".env: is no text in UTF-8", WRONG_USE)
    if local:
        from service.cli.own_service import own_service

        with own_service() as url:
            yield url, None
        return
    try:
        url = find_url(environment=environment)
    except ValueError as error:
        stop(str(error), WRONG_USE)
    yield url, find_key(environment=environment)


def sendable(text: str) -> str:
    """Replace what a terminal gave us and no encoding knows."""
    return text.encode(errors="replace").decode()


def told(error: "ArtesianError") -> str:
    """Put a failure in a sentence for people, with what to do about it where that is plain."""
    message = error.message
    match error.code:
        case "unreachable" | "unexpected_answer":
            return f"{message}\n{HOW_TO_START}"
        case "unauthenticated":
            return f"{message} Set ARTESIAN_API_KEY."
        case "disconnected" if error.stream_id:
            return f"{message} Its stream was {error.stream_id}."
    again = " Trying again may help." if error.retryable else ""
    return f"{message} ({error.code}){again}"


def status_of(error: "ArtesianError") -> int:
    """The exit status of a failure."""
    return UNREACHABLE if error.code in {"unreachable", "unexpected_answer"} else FAILED


def stop(message: str, status: int) -> NoReturn:
    """Say why, on standard error, and end."""
    typer.echo(f"artesian: {message}", err=True)
    raise typer.Exit(status)
