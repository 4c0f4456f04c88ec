"""The slash commands of `artesian chat`."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from artesian import Models

EXIT_WORDS = frozenset({"exit", "quit", "/exit", "/quit"})

HELP = """\
/model            show the model
/model NAME       switch to another model: its id, an alias, or a part of the id
/system           show the system prompt
/system TEXT      set the system prompt; /system off removes it
/save FILE        save the chat to a file: Markdown, or JSON if the name ends in .json
/new              clear the history
/exit             end the chat, as exit, quit and Ctrl-D do
Ctrl-C stops an answer."""

_MOST_NAMED = 10


class Commands:
    """Carries out `/name argument` on a transcript."""

    def __init__(self, transcript: Transcript, offered: "Models") -> None:
        self._transcript = transcript
        self._offered = offered
        self._saved: set[Path] = set()
        self._commands: dict[str, Callable[[str], str]] = {
            "/model": self._model,
            "/system": self._system,
            "/save": self._save,
            "/new": self._new,
            "/help": lambda _: HELP,
        }

    def run(self, line: str) -> str:
        """Run a command line and return the text to print."""
        name, _, argument = line.partition(" ")
        command = self._commands.get(name.lower())
        if command is None:
            close = get_close_matches(name.lower(), self._commands, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            return f"Unknown command {name}.{hint} /help lists the commands; to send the line, put a space before it."
        return command(argument.strip())

    def _model(self, name: str) -> str:
        if not name:
            return str(self._transcript.model_id)
        ids = [model.id for model in self._offered if name == model.id or name in model.aliases]
        ids = ids or [model.id for model in self._offered if name.lower() in model.id.lower()]
        if len(ids) > 1:
            more = ", …" if len(ids) > _MOST_NAMED else ""
            return f"Several models match: {', '.join(ids[:_MOST_NAMED])}{more}"
        self._transcript.model_id = ids[0] if ids else name
        unknown = "" if ids else " (not in the service's list)"
        return f"Model: {self._transcript.model_id}{unknown}."

    def _system(self, text: str) -> str:
        if not text:
            return self._transcript.system or "No system prompt is set."
        self._transcript.system = None if text == "off" else text
        return "System prompt removed." if text == "off" else "System prompt set."

    def _save(self, name: str) -> str:
        if not name:
            return "Missing file name: /save FILE"
        path = Path(name).expanduser()
        if path.exists() and path.resolve() not in self._saved:
            return f"{path} already exists. Choose another name."
        try:
            self._transcript.save(path)
        except OSError as error:
            return f"Cannot write {path}: {error.strerror}."
        self._saved.add(path.resolve())
        return f"Saved {len(self._transcript.messages)} messages to {path}."

    def _new(self, _: str) -> str:
        self._transcript.messages.clear()
        return "History cleared. The model and the system prompt are unchanged."
