"""`artesian ask`: one question, its answer on standard output."""

import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.connecting import (
    FAILED,
    MAX_TOKENS,
    WRONG_USE,
    Local,
    MaxTokens,
    Model,
    System,
    Temperature,
    connected,
    sendable,
    status_of,
    stop,
    told,
)

if TYPE_CHECKING:
    from service.client import Stream


def ask(
    question: Annotated[str | None, typer.Argument(help="The question; - or nothing: it is on standard input.")] = None,
    model: Model = None,
    system: System = None,
    max_tokens: MaxTokens = MAX_TOKENS,
    temperature: Temperature = None,
    whole: Annotated[bool, typer.Option("--json", help="Print the whole answer as one JSON object.")] = False,  # noqa: FBT002 - a flag
    local: Local = False,  # noqa: FBT002 - a flag
) -> None:
    """Ask one question, and print the answer as it comes.

    What is piped in is the question, or belongs to it: git diff | artesian ask "Sum this up".

    Exit status: 0 answered, 1 failed, 2 wrong use, 3 no service there, 130 interrupted.
    """
    with connected(local=local) as artesian:
        prompt = _prompt(question)
        from service.client import ArtesianError

        try:
            with artesian.stream(
                prompt,
                model_id=model,
                system=system and sendable(system),
                max_tokens=max_tokens,
                temperature=temperature,
                on_interruption="continue",  # what is printed cannot be cleared
            ) as stream:
                _print_json(stream) if whole else _print(stream)
        except ArtesianError as error:
            stop(told(error), status_of(error))


def _prompt(question: str | None) -> str:
    """Put together what is asked."""
    given = "" if question in {None, "-"} else (question or "").strip()
    if given:
        piped = _read() if _is_piped() else ""
    elif question == "-" or (sys.stdin and not sys.stdin.isatty()):
        piped = _read()
    else:
        stop("What is the question? See artesian ask --help.", WRONG_USE)
    prompt = "\n\n".join(part for part in (given, piped.strip()) if part)
    if not prompt:
        stop("The question is empty.", WRONG_USE)
    return sendable(prompt)


def _is_piped() -> bool:
    """Whether a file or another program gives us something: no terminal, and no socket of a daemon's."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _read() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig") if sys.stdin else ""
    except UnicodeDecodeError:
        stop("What is on standard input is no text in UTF-8.", WRONG_USE)


def _print(stream: "Stream") -> None:
    from service.cli.screen import Screen, summary

    screen = Screen(notes=sys.stderr.isatty())
    done = screen.show(stream)
    if done is None or done.stop_reason == "cancelled":
        stop("The answer was cancelled.", FAILED)
    screen.note(summary(done))


def _print_json(stream: "Stream") -> None:
    answer = stream.answer()
    typer.echo(json.dumps(answer.raw, ensure_ascii=False))
    if answer.stop_reason == "cancelled":
        raise typer.Exit(FAILED)
