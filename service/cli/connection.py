"""How a command finds a service and connects to it, and the options that the commands share."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import FAILED, INTERRUPTED, OUTPUT_CLOSED, WRONG_USE, fail

if TYPE_CHECKING:
    from artesian import Artesian

Local = Annotated[bool, typer.Option("--local", help="Start a service in this process instead of connecting to one.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Model id or alias. Default: the service's.")]
System = Annotated[str | None, typer.Option("--system", "-s", help="System prompt.")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Maximum output tokens.")]
Temperature = Annotated[float | None, typer.Option(min=0, max=1, help="0 to 1. Default: the model's.")]

MAX_TOKENS = 2000  # accepted by every text model


@contextmanager
def connected(*, local: bool) -> Iterator["Artesian"]:
    """Connect a client to the service; an interrupt or an output error in the block ends the command."""
    for output in (each for each in (sys.stdout, sys.stderr) if isinstance(each, TextIOWrapper)):
        output.reconfigure(errors="replace")  # a lone surrogate in the model's text is not an error
    try:
        with _url(local=local) as (url, api_key):
            from artesian import Artesian

            with Artesian(url, api_key=api_key) as artesian:
                yield artesian
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it closes stdout
        raise typer.Exit(OUTPUT_CLOSED) from None
    except OSError as error:  # for example a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail(f"{error.strerror or error}.", FAILED)


@contextmanager
def _url(*, local: bool) -> Iterator[tuple[str, str | None]]:
    """Yield the service's URL and API key; `.env` is read as `artesian serve` reads it."""
    from dotenv import dotenv_values

    from artesian.address import find_key, find_url

    try:
        environment = {name: value for name, value in dotenv_values(".env").items() if value} | dict(os.environ)
    except UnicodeDecodeError:
        fail(".env is not valid UTF-8.", WRONG_USE)
    if local:
        from service.cli.embedded import embedded_service

        with embedded_service() as url:
            yield url, None
        return
    try:
        url = find_url(environment=environment)
    except ValueError as error:
        fail(str(error), WRONG_USE)
    yield url, find_key(environment=environment)


def sendable(text: str) -> str:
    """Replace what cannot be encoded as UTF-8: lone surrogates from a terminal or an argument."""
    return text.encode(errors="replace").decode()
