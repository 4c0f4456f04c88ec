"""The console script `artesian`: imports nothing until it runs, because its dependencies are the extra `server`."""

import sys

from service.extras import SERVER_PACKAGES, missing


def main() -> None:
    """Run the command line; exit with status 2 where the extra `server` is not installed."""
    try:
        from service.cli import main as run

        run()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in SERVER_PACKAGES:
            raise
        print(f"artesian: {missing('The command artesian', 'server')}", file=sys.stderr)  # noqa: T201 - typer may be missing
        sys.exit(2)
