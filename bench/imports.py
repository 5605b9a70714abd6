"""Measure the CPU of importing each handler beside a bare FastAPI + Mangum app: our share of a cold start."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from bench import machine

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
BARE = """
from fastapi import FastAPI
from mangum import Mangum
app = FastAPI()
@app.get("/")
def root() -> dict[str, str]:
    return {}
handler = Mangum(app)
"""
MEASURE = """
import resource, runpy, sys
sys.modules["click"] = None  # httpx imports its command line, rich and pygments where click is there; no layer has it
before = resource.getrusage(resource.RUSAGE_SELF)
exec(sys.argv[1]) if len(sys.argv) > 1 and not sys.argv[1].endswith(".py") else runpy.run_path(sys.argv[1])
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(sys.modules), after.ru_maxrss)
"""


def measure(program: str, *, rounds: int = ROUNDS) -> tuple[float, int, float]:
    """Return (CPU seconds, modules, RSS in MiB) of one import: the median over fresh processes with warm bytecode.

    With `rounds` 0 there is a single import, which may include compiling: that only shows that it runs.
    """
    environment = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "true", "POWERTOOLS_METRICS_NAMESPACE": "Coliseum"}
    rows = []
    for _ in range(rounds + 1):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, program], capture_output=True, text=True, check=True, env=environment
        )
        seconds, modules, rss = done.stdout.split()
        rows.append((float(seconds), int(modules), float(rss) / 1024))
    rows = rows[1:] or rows  # the first one may compile
    return (
        statistics.median(row[0] for row in rows),
        rows[0][1],
        statistics.median(row[2] for row in rows),
    )


def main() -> None:
    """Print the table."""
    quick = machine.parser(__doc__).parse_args().quick
    rounds = 0 if quick else ROUNDS
    bare = measure(BARE, rounds=rounds)
    rows = [["bare FastAPI + Mangum", f"{bare[0] * 1000:.0f}", "1.00", bare[1], f"{bare[2]:.0f}"]]
    handlers = sorted((ROOT / "functions").glob("*/app.py"))
    for handler in handlers[:1] if quick else handlers:
        seconds, modules, rss = measure(str(handler), rounds=rounds)
        rows.append(
            [
                f"functions/{handler.parent.name}",
                f"{seconds * 1000:.0f}",
                f"{seconds / bare[0]:.2f}",
                modules,
                f"{rss:.0f}",
            ]
        )
    print(machine.description())
    machine.show("Importing a handler", ["handler", "CPU ms", "x bare", "modules", "RSS MiB"], rows)


if __name__ == "__main__":
    main()
