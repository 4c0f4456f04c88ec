"""`artesian ask`: one prompt, its answer on standard output."""

import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.connection import (
    MAX_TOKENS,
    Local,
    MaxTokens,
    Model,
    System,
    Temperature,
    connected,
    sendable,
)
from service.cli.exits import FAILED, WRONG_USE, fail, fail_client

if TYPE_CHECKING:
    from artesian import Stream


def ask(
    question: Annotated[
        str | None, typer.Argument(help="The prompt; - or nothing: read it from standard input.")
    ] = None,
    model: Model = None,
    system: System = None,
    max_tokens: MaxTokens = MAX_TOKENS,
    temperature: Temperature = None,
    whole: Annotated[bool, typer.Option("--json", help="Print the whole answer as one JSON object.")] = False,  # noqa: FBT002 - a flag
    local: Local = False,  # noqa: FBT002 - a flag
) -> None:
    """Send one prompt and print the answer while it is generated.

    Piped input is used as the prompt, or appended to it: git diff | artesian ask "Summarize this".

    Exit status: 0 success, 1 failure, 2 wrong use, 3 no service, 130 interrupted.
    """
    with connected(local=local) as artesian:
        prompt = _prompt(question)
        from artesian import ArtesianError

        try:
            with artesian.stream(
                prompt,
                model_id=model,
                system=system and sendable(system),
                max_tokens=max_tokens,
                temperature=temperature,
                on_interruption="continue",  # printed text cannot be cleared
            ) as stream:
                _print_json(stream) if whole else _print(stream)
        except ArtesianError as error:
            fail_client(error)


def _prompt(question: str | None) -> str:
    """Combine the argument and standard input into the prompt."""
    argument = "" if question in {None, "-"} else (question or "").strip()
    if argument:
        piped = _read() if _is_piped() else ""
    elif question == "-" or (sys.stdin and not sys.stdin.isatty()):
        piped = _read()
    else:
        fail("Missing prompt. Give it as an argument or on standard input; see artesian ask --help.", WRONG_USE)
    prompt = "\n\n".join(part for part in (argument, piped.strip()) if part)
    if not prompt:
        fail("The prompt is empty.", WRONG_USE)
    return sendable(prompt)


def _is_piped() -> bool:
    """Whether standard input is a file or a pipe: not a terminal, and not a daemon's socket."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _read() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig") if sys.stdin else ""
    except UnicodeDecodeError:
        fail("Standard input is not valid UTF-8.", WRONG_USE)


def _print(stream: "Stream") -> None:
    from service.cli.screen import Screen, summary

    screen = Screen(notes=sys.stderr.isatty())
    done = screen.show(stream)
    if done is None or done.stop_reason == "cancelled":
        fail("The answer was cancelled.", FAILED)
    screen.note(summary(done))


def _print_json(stream: "Stream") -> None:
    answer = stream.answer()
    typer.echo(json.dumps(answer.raw, ensure_ascii=False))
    if answer.stop_reason == "cancelled":
        raise typer.Exit(FAILED)
