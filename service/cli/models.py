"""`artesian models`: what may be asked for."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.connecting import Local, connected, status_of, stop, told

if TYPE_CHECKING:
    from service.client import Model, Models


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print what the service says.")] = False,  # noqa: FBT002 - a flag
    local: Local = False,  # noqa: FBT002 - a flag
) -> None:
    """List the models, and what each can do."""
    with connected(local=local) as artesian:
        from service.client import ArtesianError

        try:
            found = artesian.models()
        except ArtesianError as error:
            stop(told(error), status_of(error))
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

    model_column = Column("Model", no_wrap=True, overflow="fold")  # to be copied whole
    table = Table(model_column, "Provider", "Can", box=None, header_style="bold", pad_edge=False)
    for model in found:
        names = "\n".join((model.id, *(f"= {alias}" for alias in model.aliases)))
        table.add_row(names, model.provider, _abilities(model), style="bold" if model.id == found.default else None)
    console = Console(highlight=False)
    console.print(table)
    if found.default:
        console.print(f"\nWhere nothing else is asked for: {found.default}", soft_wrap=True)
