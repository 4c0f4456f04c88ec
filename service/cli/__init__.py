"""The command line: `artesian serve`, `local-bedrock`, `ask`, `chat`, `models`, `keys`.

Each command is a module that imports heavy packages only when it runs, so that the command line starts quickly.
"""

from typing import Annotated

import typer

from service import __version__
from service.cli import ask, chat, keys, models, serving

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(serving.serve)
app.command("local-bedrock")(serving.local_bedrock)
app.command()(ask.ask)
app.command()(chat.chat)
app.command()(models.models)
app.add_typer(keys.keys, name="keys")


def _print_version(requested: bool) -> None:  # noqa: FBT001 - typer's signature
    if requested:
        typer.echo(f"artesian {__version__}")
        raise typer.Exit


@app.callback()
def _artesian(
    version: Annotated[  # noqa: FBT002 - the callback acts on it; a flag
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The streaming gateway for Amazon Bedrock."""


def main() -> None:
    """Run the command line."""
    app()
