"""Fan-out against raw sockets, sse-starlette and FastAPI's own events in one run. `python -m bench.streaming [--full]`.

The ratios are what counts; a machine that does other things too moves the absolute numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from bench import machine
from bench._streaming_load import Load
from bench._streaming_servers import KINDS

TARGETS = {"cpu": 1.6, "p99": 2.0, "burst": 3.0, "memory": 12.0}
"""CPU per delivery and p99 at most, burst at least, this many times raw sockets; kB per connection at most."""
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    clients: int
    rate: int
    seconds: float
    burst: int
    bursts: int


QUICK = Sizes(clients=200, rate=20, seconds=4.0, burst=100, bursts=3)
FULL = Sizes(clients=2000, rate=10, seconds=8.0, burst=100, bursts=3)


@dataclass(frozen=True, slots=True)
class Result:
    cpu_us: float
    """Per delivery."""
    p50_ms: float
    p99_ms: float
    burst_per_second: float
    kb_per_connection: float
    missing: int
    disorder: int


class Server:
    """A server of one kind as a child process, on the first core; the clients use the last."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench._streaming_servers", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        _pin(self._process.pid, first=True)
        self.port: int = self._answer()["port"]

    def command(self, **command: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def look(self) -> dict[str, Any]:
        """CPU seconds and resident bytes now."""
        self.command(look=1)
        return self._answer()

    def answer(self) -> dict[str, Any]:
        return self._answer()

    def stop(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def measure(kind: str, sizes: Sizes) -> Result:
    server = Server(kind)
    load = Load(server.port)
    try:
        load.connect(5)  # warms imports and caches, so that memory is that of connections
        before = server.look()["rss"]
        load.connect(sizes.clients)
        clients = len(load.clients)
        memory = (server.look()["rss"] - before) / sizes.clients / 1000
        load.forget()
        begin = server.look()["cpu"]
        expected = clients * int(sizes.rate * sizes.seconds)
        server.command(rate=sizes.rate, seconds=sizes.seconds)
        load.read(sizes.seconds + PATIENCE_SECONDS, until_total=expected)
        cpu = server.answer()["cpu"] - begin
        missing = expected - load.total()
        delays = sorted(load.delays) or [float("nan")]
        rates = []
        for _ in range(sizes.bursts):
            load.forget()
            server.command(burst=sizes.burst)
            seconds = load.read(PATIENCE_SECONDS, until_total=clients * sizes.burst)
            rates.append(load.total() / seconds)
            missing += clients * sizes.burst - load.total()
            server.answer()
        return Result(
            cpu_us=1e6 * cpu / expected,
            p50_ms=1000 * delays[len(delays) // 2],
            p99_ms=1000 * delays[int(len(delays) * 0.99)],
            burst_per_second=statistics.median(rates),
            kb_per_connection=memory,
            missing=missing,
            disorder=load.disorder,
        )
    finally:
        load.close()
        server.stop()


def show(sizes: Sizes, results: dict[str, Result]) -> None:
    """The results, each with its ratio to raw sockets."""
    raw = results["raw"]
    columns = (
        "server",
        "CPU us/delivery",
        "x raw",
        "p50 ms",
        "p99 ms",
        "x raw",
        "burst/s",
        "x raw",
        "kB/conn",
        "lost",
        "disorder",
    )
    rows = [
        (
            kind,
            f"{one.cpu_us:.1f}",
            f"{one.cpu_us / raw.cpu_us:.1f}",
            f"{one.p50_ms:.1f}",
            f"{one.p99_ms:.1f}",
            f"{one.p99_ms / raw.p99_ms:.1f}",
            f"{one.burst_per_second:,.0f}",
            f"{one.burst_per_second / raw.burst_per_second:.2f}",
            f"{one.kb_per_connection:.1f}",
            one.missing,
            one.disorder,
        )
        for kind, one in results.items()
    ]
    load = f"{sizes.clients} clients, {sizes.rate} events/s for {sizes.seconds:.0f} s, bursts of {sizes.burst}"
    machine.show(f"Fan-out: {load}", columns, rows)


def verdicts(results: dict[str, Result]) -> list[str]:
    """Each target with what was reached."""
    raw, ours = results["raw"], results["coliseum"]
    reached = {
        "cpu": (ours.cpu_us / raw.cpu_us, "<=", "CPU per delivery, x raw"),
        "p99": (ours.p99_ms / raw.p99_ms, "<=", "p99, x raw"),
        "burst": (ours.burst_per_second / raw.burst_per_second, ">=", "burst, x raw"),
        "memory": (ours.kb_per_connection, "<=", "kB per connection"),
    }
    lines = []
    for name, (value, relation, text) in reached.items():
        met = value <= TARGETS[name] if relation == "<=" else value >= TARGETS[name]
        lines.append(f"{'met   ' if met else 'MISSED'}  {text}: {value:.2f} (target {relation} {TARGETS[name]})")
    return lines


def _pin(pid: int, *, first: bool) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        cores = sorted(os.sched_getaffinity(0)) if first else sorted(os.sched_getaffinity(pid))
        os.sched_setaffinity(pid, {cores[0] if first else cores[-1]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="2000 clients instead of 200")
    parser.add_argument("--only", nargs="*", choices=tuple(KINDS), default=tuple(KINDS), help="raw is always measured")
    options = parser.parse_args()
    sizes = FULL if options.full else QUICK
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 20_000), most))
    results = {kind: measure(kind, sizes) for kind in KINDS if kind == "raw" or kind in options.only}
    show(sizes, results)
    if "coliseum" in results:
        print("\n".join(verdicts(results)))


if __name__ == "__main__":
    main()
