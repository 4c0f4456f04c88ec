"""How the commands end: the exit statuses, and the messages on standard error.

Exit statuses: 0 success, 1 failure, 2 wrong use or settings, 3 no service, 130 interrupted, 141 output closed.
"""

from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from artesian import ArtesianError
    from service.settings import SettingsError

FAILED, WRONG_USE, UNREACHABLE, INTERRUPTED, OUTPUT_CLOSED = 1, 2, 3, 130, 141

HOW_TO_START = (
    "Start one with `artesian serve` (or `make run`), set ARTESIAN_URL to another one, "
    "or add --local to start one for this command."
)


def fail(message: str, status: int) -> NoReturn:
    """Print each line of a message to standard error, and exit."""
    for line in message.splitlines():
        typer.echo(f"artesian: {line}", err=True)
    raise typer.Exit(status) from None


def fail_settings(error: "SettingsError") -> NoReturn:
    """Print the mistakes in the settings, one per line, and exit."""
    fail("\n".join(error.lines), WRONG_USE)


def fail_os(error: OSError) -> NoReturn:
    """Print what the operating system refused, and exit."""
    fail(error.strerror or str(error), FAILED)


def fail_client(error: "ArtesianError") -> NoReturn:
    """Print an error of the service or of the connection to it, and exit."""
    fail(sentence(error), UNREACHABLE if error.code in {"unreachable", "unexpected_answer"} else FAILED)


def sentence(error: "ArtesianError") -> str:
    """Return an error's message with what to do about it, where that is known."""
    message = error.message
    match error.code:
        case "unreachable" | "unexpected_answer":
            return f"{message}\n{HOW_TO_START}"
        case "unauthenticated":
            return f"{message} Set ARTESIAN_API_KEY."
        case "disconnected" if error.stream_id:
            return f"{message} The stream's id is {error.stream_id}."
    again = " Retrying may help." if error.retryable else ""
    return f"{message} ({error.code}){again}"
