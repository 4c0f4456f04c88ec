"""The command: `artesian serve`, `local-bedrock`, `ask`, `chat`, `models`, `keys`.

Each command is a module, and imports what is heavy only when it runs: the command line itself is there at once.
"""

import typer

from service.cli import ask, chat, keys, models, serving

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(serving.serve)
app.command("local-bedrock")(serving.local_bedrock)
app.command()(ask.ask)
app.command()(chat.chat)
app.command()(models.models)
app.add_typer(keys.keys, name="keys")


@app.callback()
def _artesian() -> None:
    """The streaming front door to Amazon Bedrock."""


def main() -> None:
    """Run the command."""
    app()
