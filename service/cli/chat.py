"""`artesian chat`: a conversation in the terminal."""

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from service.cli.commands import LEAVING, Commands
from service.cli.connecting import (
    MAX_TOKENS,
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
from service.cli.transcript import Transcript

if TYPE_CHECKING:
    from service.client import Artesian, Parameters

PROMPT = "you> "


def chat(
    model: Model = None,
    system: System = None,
    max_tokens: MaxTokens = MAX_TOKENS,
    temperature: Temperature = None,
    local: Local = False,  # noqa: FBT002 - a flag
) -> None:
    """Talk with a model. The last 10 messages are kept in mind, and the system prompt.

    Ctrl-C stops an answer, Ctrl-D or exit leaves; /help lists what else there is.
    """
    with connected(local=local) as artesian:
        from service.client import ArtesianError

        try:
            offered = artesian.models()
        except ArtesianError as error:
            stop(told(error), status_of(error))
        usual = offered.default or next((one.id for one in offered), None)
        transcript = Transcript(model or usual, system and sendable(system))
        typer.echo(f"{transcript.model_id} at {artesian.url}. /help tells what there is; exit leaves.\n")
        parameters: Parameters = {"max_tokens": max_tokens, "temperature": temperature}
        parameters["on_interruption"] = "continue"  # what is shown cannot be cleared
        Chat(artesian, transcript, Commands(transcript, offered), parameters).run()


class Chat:
    """Reads questions, and shows answers, until somebody leaves."""

    def __init__(
        self, artesian: "Artesian", transcript: Transcript, commands: Commands, parameters: "Parameters"
    ) -> None:
        from service.cli.screen import Screen

        self._artesian = artesian
        self._transcript = transcript
        self._commands = commands
        self._parameters = parameters
        self._screen = Screen()

    def run(self) -> None:
        """Go round until `exit`, `quit` or the end of input."""
        with suppress(ImportError):  # where Python has it, a line can be edited and earlier ones come back
            import readline  # noqa: F401
        going_on = True
        while going_on:
            try:
                going_on = self._turn()
            except KeyboardInterrupt:
                typer.echo("\n(exit leaves)")

    def _turn(self) -> bool:
        """Read one line and do what it says. False: it says that we leave."""
        try:
            line = sendable(input(PROMPT).strip())
        except EOFError:
            typer.echo()
            return False
        if line.lower() in LEAVING:
            return False
        if line.startswith("/"):
            typer.echo(self._commands.run(line))
        elif line:
            self._ask(line)
        return True

    def _ask(self, question: str) -> None:
        """Ask, show the answer, and keep what came of it."""
        from service.cli.screen import summary
        from service.client import ArtesianError

        transcript, screen, done = self._transcript, self._screen, None
        self._parameters |= {"model_id": transcript.model_id, "system": transcript.system}
        stream = self._artesian.stream(messages=transcript.asking(question), **self._parameters)
        try:
            with stream:
                done = screen.show(stream)
        except KeyboardInterrupt:
            screen.note("Stopped.")
        except ArtesianError as error:
            screen.problem(told(error))
        if done:
            screen.note(summary(done))
        transcript.add(question, stream.text, cut=done is None or done.stop_reason == "cancelled")
        typer.echo()
