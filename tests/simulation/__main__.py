"""Runs simulations: `python -m tests.simulation [--seasons N] [name ...]`. Without a name it lists them.

Each is a module of this folder with a function `run(seasons)`. `None` stands for the number that docs/scoring.md shows.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path


def names() -> list[str]:
    """The modules of this folder that can be run."""
    folder = Path(__file__).parent
    return sorted(path.stem for path in folder.glob("*.py") if "\ndef run(" in path.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(names()))
    parser.add_argument("--seasons", type=int, default=None, help="seasons of each scenario")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - set(names()))
    if unknown or not chosen.names:
        parser.error(f"name one of: {', '.join(names())}" + (f" (not {', '.join(unknown)})" if unknown else ""))
    for name in chosen.names:
        run: Callable[[int | None], None] = importlib.import_module(f"tests.simulation.{name}").run
        run(chosen.seasons)


if __name__ == "__main__":
    main()
