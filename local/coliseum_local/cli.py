"""The command line: `coliseum` and `python -m coliseum_local`. Without a command it runs the system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, help="Coliseum on one machine.")


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        run()


@app.command()
def run() -> None:
    """Start everything, show it live, stop it on Ctrl-C."""
    from coliseum_local.run import run as run_stack

    raise typer.Exit(run_stack())


@app.command()
def invoke(
    function: Annotated[str, typer.Argument(help="Portfolio, Markets, Stream or Poller")],
    event: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a file of events/")],
) -> None:
    """Run a built function once, under Lambda's own runtime client and emulator."""
    from coliseum_local.invoke import invoke as invoke_built

    raise typer.Exit(invoke_built(function, event))


def main() -> None:
    app()
