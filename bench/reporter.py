"""What a report costs the bot that makes it: `python -m bench.reporter`. Beside a plain append of the same line.

Each figure is the time of the calling thread alone, so what the kit's own threads do meanwhile counts only as far as
the bot has to wait for it.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import machine
from coliseum.client import Reporter

TRADES = 10_000
SECRET = "whsec_" + "A" * 32
Report = Callable[[int], object]


@contextmanager
def _plain(folder: Path) -> Iterator[Report]:
    """The least that keeps a trade over a kill: JSON and one write."""
    descriptor = os.open(folder / "plain.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        yield lambda number: os.write(descriptor, (json.dumps(_fields(number)) + "\n").encode())
    finally:
        os.close(descriptor)


@contextmanager
def _kit(folder: Path, *, url: str | None = None) -> Iterator[Report]:
    name = "kit.log" if url is None else "pushing.log"
    with Reporter(folder / name, port=None, url=url, secret=None if url is None else SECRET) as reporter:
        yield lambda number: reporter.trade(**_fields(number))


@contextmanager
def _pushing_kit(folder: Path) -> Iterator[Report]:
    """The receiver takes connections and never answers: the request stays in flight."""
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, _kit(folder, url=f"http://127.0.0.1:{silent.getsockname()[1]}") as report:
        yield report


def _fields(number: int) -> dict[str, Any]:
    return {
        "ticker": "KXNBAGAME-26NOV211800-OKL",
        "side": "BUY",
        "quantity": 50,
        "price": "0.65",
        "outcome": "yes",
        "trade_id": f"9d6203d4-3a98-4982-b93e-{number:012d}",
        "timestamp": 1_796_000_000.0 + number,
    }


def _microseconds(report: Report, trades: int) -> list[float]:
    spent = []
    for number in range(trades):
        begin = time.perf_counter()
        report(number)
        spent.append((time.perf_counter() - begin) * 1e6)
    return spent


def main() -> None:
    """Print the table."""
    quick = machine.parser(__doc__).parse_args().quick
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        plain = 0.0
        for what, way in (("plain append", _plain), ("kit", _kit), ("kit, pushing", _pushing_kit)):
            with way(Path(name)) as report:
                spent = _microseconds(report, 20 if quick else TRADES)
            median, p99 = statistics.median(spent), statistics.quantiles(spent, n=100)[98]
            plain = plain or median
            rows.append([what, f"{median:.1f}", f"{p99:.1f}", f"{max(spent):.0f}", f"{median / plain:.1f}"])
    print(machine.description())
    machine.show(f"microseconds of one trade, {TRADES} in a row", ["way", "p50", "p99", "max", "times plain"], rows)


if __name__ == "__main__":
    main()
