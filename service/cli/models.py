"""`artesian models`: the list of models."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.connection import Local, connected
from service.cli.exits import fail_client

if TYPE_CHECKING:
    from artesian import Model, Models


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the service's JSON.")] = False,  # noqa: FBT002 - a flag
    local: Local = False,  # noqa: FBT002 - a flag
) -> None:
    """List the models and their capabilities."""
    with connected(local=local) as artesian:
        from artesian import ArtesianError

        try:
            found = artesian.models()
        except ArtesianError as error:
            fail_client(error)
        if as_json:
            typer.echo(json.dumps(found.raw, ensure_ascii=False))
        elif sys.stdout.isatty():
            _table(found)
        else:
            for model in found:
                typer.echo(
                    "\t".join((model.id, model.name, model.provider, _abilities(model), ",".join(model.aliases)))
                )


def _abilities(model: "Model") -> str:
    return " ".join(name for name, able in model.capabilities.items() if able)


def _table(found: "Models") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    model_column = Column("Model", no_wrap=True, overflow="fold")  # so that it can be copied
    table = Table(model_column, "Provider", "Capabilities", box=None, header_style="bold", pad_edge=False)
    for model in found:
        names = "\n".join((model.id, *(f"= {alias}" for alias in model.aliases)))
        table.add_row(names, model.provider, _abilities(model), style="bold" if model.id == found.default else None)
    console = Console(highlight=False)
    console.print(table)
    if found.default:
        console.print(f"\nDefault: {found.default}", soft_wrap=True)
