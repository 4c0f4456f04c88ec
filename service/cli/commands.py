"""What can be said to a chat that is not for the model."""

from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.transcript import Transcript

if TYPE_CHECKING:
    from service.client import Models

LEAVING = frozenset({"exit", "quit", "/exit", "/quit"})

HELP = """\
/model            which model answers
/model NAME       let another one answer: its id, an alias, or a part of the id
/system           the system prompt
/system TEXT      another one; /system off for none
/save FILE        write the chat to a file: Markdown, or JSON where it ends in .json
/new              forget what was said
/exit             leave, as exit, quit and Ctrl-D do
Ctrl-C stops an answer."""

_MOST_NAMED = 10


class Commands:
    """Carries out `/name argument` on a transcript."""

    def __init__(self, transcript: Transcript, offered: "Models") -> None:
        self._transcript = transcript
        self._offered = offered
        self._saved: set[Path] = set()
        self._commands = {
            "/model": self._model,
            "/system": self._system,
            "/save": self._save,
            "/new": self._new,
            "/help": self._help,
        }

    def run(self, line: str) -> str:
        """Do it, and say what was done."""
        name, _, argument = line.partition(" ")
        command = self._commands.get(name.lower())
        if command is None:
            return f"There is no {name}. /help lists what there is; a space before it sends it as it is."
        return command(argument.strip())

    def _model(self, name: str) -> str:
        if not name:
            return str(self._transcript.model_id)
        ids = self._named(name)
        if len(ids) > 1:
            more = ", …" if len(ids) > _MOST_NAMED else ""
            return f"Several models are called that: {', '.join(ids[:_MOST_NAMED])}{more}"
        self._transcript.model_id = ids[0] if ids else name
        unknown = "" if ids else " (the service does not list it)"
        return f"{self._transcript.model_id} answers from now on{unknown}."

    def _named(self, name: str) -> list[str]:
        if exact := [model.id for model in self._offered if name == model.id or name in model.aliases]:
            return exact
        return [model.id for model in self._offered if name.lower() in model.id.lower()]

    def _system(self, text: str) -> str:
        if not text:
            return self._transcript.system or "There is none."
        self._transcript.system = None if text == "off" else text
        return "There is none any more." if text == "off" else "It holds from now on."

    def _save(self, name: str) -> str:
        if not name:
            return "/save FILE: where to?"
        path = Path(name).expanduser()
        if path.exists() and path.resolve() not in self._saved:
            return f"{path} is there already: choose another name."
        try:
            self._transcript.save(path)
        except OSError as error:
            return f"{path} could not be written: {error.strerror}."
        self._saved.add(path.resolve())
        return f"{len(self._transcript.messages)} messages are in {path}."

    def _new(self, _: str) -> str:
        self._transcript.messages.clear()
        return "All forgotten; the model and the system prompt stay."

    def _help(self, _: str) -> str:
        return HELP
