"""`artesian chat`: a conversation in the terminal."""

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from service.cli.commands import EXIT_WORDS, Commands
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
from service.cli.exits import fail_client, sentence
from service.cli.transcript import Transcript

if TYPE_CHECKING:
    from artesian import Artesian, Parameters

PROMPT = "you> "


def chat(
    model: Model = None,
    system: System = None,
    max_tokens: MaxTokens = MAX_TOKENS,
    temperature: Temperature = None,
    local: Local = False,  # noqa: FBT002 - a flag
) -> None:
    """Chat with a model. Keeps the system prompt and the last 10 messages as context.

    Ctrl-C stops an answer; Ctrl-D or exit ends the chat; /help lists the commands.
    """
    with connected(local=local) as artesian:
        from artesian import ArtesianError

        try:
            offered = artesian.models()
        except ArtesianError as error:
            fail_client(error)
        usual = offered.default or next((one.id for one in offered), None)
        transcript = Transcript(model or usual, system and sendable(system))
        typer.echo(f"{transcript.model_id} at {artesian.url}. /help lists the commands; exit ends the chat.\n")
        parameters: Parameters = {"max_tokens": max_tokens, "temperature": temperature}
        parameters["on_interruption"] = "continue"  # printed text cannot be cleared
        Chat(artesian, transcript, Commands(transcript, offered), parameters).run()


class Chat:
    """Reads prompts and shows answers until the user exits."""

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
        """Run turns until `exit`, `quit` or the end of input."""
        with suppress(ImportError):  # line editing and history, where Python has readline
            import readline  # noqa: F401
        running = True
        while running:
            try:
                running = self._turn()
            except KeyboardInterrupt:
                typer.echo("\n(type exit to end the chat)")

    def _turn(self) -> bool:
        """Read one line and act on it. False: the chat ends."""
        try:
            line = sendable(input(PROMPT).strip())
        except EOFError:
            typer.echo()
            return False
        if line.lower() in EXIT_WORDS:
            return False
        if line.startswith("/"):
            typer.echo(self._commands.run(line))
        elif line:
            self._ask(line)
        return True

    def _ask(self, question: str) -> None:
        """Send a prompt, show the answer, and add both to the transcript."""
        from artesian import ArtesianError
        from service.cli.screen import summary

        transcript, screen, done = self._transcript, self._screen, None
        self._parameters |= {"model_id": transcript.model_id, "system": transcript.system}
        stream = self._artesian.stream(messages=transcript.asking(question), **self._parameters)
        try:
            with stream:
                done = screen.show(stream)
        except KeyboardInterrupt:
            screen.note("Stopped.")
        except ArtesianError as error:
            screen.problem(sentence(error))
        if done:
            screen.note(summary(done))
        transcript.add(question, stream.text, cut=done is None or done.stop_reason == "cancelled")
        typer.echo()
