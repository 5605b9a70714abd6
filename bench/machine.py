"""Describe the machine, and print result tables."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table


def description() -> str:
    """Return one line: cores, processor, memory, system, Python."""
    return (
        f"{os.cpu_count()} cores, {_processor()}, {_memory_gib():.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def parser(about: str | None) -> argparse.ArgumentParser:
    """Return the parser that all benchmarks share; `about` is the benchmark's docstring."""
    arguments = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="tiny sizes: check that it runs, ignore the figures")
    return arguments


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one table of cells that are already formatted."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(width=140).print(table)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
