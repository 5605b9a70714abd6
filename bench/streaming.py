"""Fan-out against raw sockets, sse-starlette and FastAPI's own events in one run. `python -m bench.streaming [--full]`.

Every round measures every server once, in turning order; a ratio is the median of the rounds' own ratios, so that a
machine that does other things too moves both sides of it.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from bench import machine
from bench._streaming_load import Load, Stopped
from bench._streaming_servers import KINDS

FILTERS = 100
SERVERS: Mapping[str, tuple[str, int]] = {
    **{kind: (kind, 1) for kind in KINDS},
    f"coliseum, {FILTERS} filters": ("coliseum", FILTERS),
}
"""What runs, and among how many filters its clients are divided."""
PATIENCE_SECONDS = 60.0
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@dataclass(frozen=True, slots=True)
class Sizes:
    """Latency, bursts and memory at `clients`, CPU at `crowd`; rates in events per second."""

    clients: int
    rate: int
    crowd: int
    crowd_rate: int
    seconds: float
    burst: int
    stopped: int
    rounds: int
    bursts: tuple[int, int] = (60, 200)
    """What every server fills, caches, rings and logs; then what a kernel's buffers cannot hide: 5 MB."""


QUICK = Sizes(clients=20, rate=20, crowd=40, crowd_rate=10, seconds=0.5, burst=20, stopped=2, rounds=1, bursts=(5, 5))
USUAL = Sizes(clients=200, rate=20, crowd=400, crowd_rate=10, seconds=3.0, burst=100, stopped=8, rounds=1)
FULL = Sizes(clients=1000, rate=20, crowd=2000, crowd_rate=10, seconds=6.0, burst=100, stopped=8, rounds=5)


@dataclass(frozen=True, slots=True)
class Result:
    """One server in one round."""

    cpu_us: float
    """Per delivery, system time included."""
    p99_ms: float
    burst_per_second: float
    kb_per_connection: float
    wrong: int
    """Deliveries that never came or came out of order."""


@dataclass(frozen=True, slots=True)
class Target:
    text: str
    figure: Callable[[Result], float]
    limit: float
    at_most: bool = True
    times_raw: bool = True


TARGETS = (
    Target("CPU per delivery, x raw", lambda one: one.cpu_us, 1.6),
    Target("p99, x raw", lambda one: one.p99_ms, 2.0),
    Target("burst, x raw", lambda one: one.burst_per_second, 3.0, at_most=False),
    Target("kB per connection", lambda one: one.kb_per_connection, 12.0, times_raw=False),
)
STOPPED_KB = 128.0
"""At most this much is held for a client that has stopped reading."""


class Server:
    """A server of one kind as a child process, on the first core; the clients use the last."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench._streaming_servers", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        _pin(self._process.pid, 0)
        self.port: int = self.answer()["port"]

    def command(self, **command: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def look(self) -> dict[str, Any]:
        """CPU seconds and resident bytes now."""
        self.command(look=1)
        return self.answer()

    def stop(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


def measure(name: str, sizes: Sizes) -> Result:
    """One round of one server."""
    kind, filters = SERVERS[name]
    server = Server(kind)
    load = Load(server.port, filters=filters)
    try:
        load.connect(5)  # warms imports and caches, so that memory is that of connections
        before = server.look()["rss"]
        load.connect(sizes.clients)
        memory = (server.look()["rss"] - before) / sizes.clients / 1000
        _, missing = steady(server, load, sizes.rate, sizes.seconds)
        delays = sorted(load.delays) or [float("nan")]
        rate, missing_in_burst = burst(server, load, sizes.burst)
        load.connect(sizes.crowd - sizes.clients)
        cpu, missing_in_crowd = steady(server, load, sizes.crowd_rate, sizes.seconds)
        return Result(
            cpu_us=cpu,
            p99_ms=1000 * delays[int(len(delays) * 0.99)],
            burst_per_second=rate,
            kb_per_connection=memory,
            wrong=missing + missing_in_burst + missing_in_crowd + load.disorder,
        )
    finally:
        load.close()
        server.stop()


def steady(server: Server, load: Load, rate: int, seconds: float) -> tuple[float, int]:
    """CPU microseconds per delivery at this many events per second, and how many deliveries never came."""
    load.forget()
    expected = len(load.clients) * int(rate * seconds)
    begin = server.look()["cpu"]
    server.command(rate=rate, seconds=seconds)
    load.read(seconds + PATIENCE_SECONDS, until_total=expected)
    return 1e6 * (server.answer()["cpu"] - begin) / expected, expected - load.total()


def burst(server: Server, load: Load, size: int) -> tuple[float, int]:
    """Deliveries per second of `size` events at once, and how many never came."""
    load.forget()
    expected = len(load.clients) * size
    server.command(burst=size)
    seconds = load.read(PATIENCE_SECONDS, until_total=expected)
    server.answer()
    return load.total() / seconds, expected - load.total()


def stopped(kind: str, sizes: Sizes) -> float:
    """What a client that has stopped reading costs the server after 5 MB of events, in kB."""
    server = Server(kind)
    load = Load(server.port)
    readers: list[Stopped] = []
    try:
        load.connect(1)
        for _ in range(sizes.bursts[0]):
            burst(server, load, sizes.burst)
        readers = [Stopped(server.port) for _ in range(sizes.stopped)]
        load.read(0.5)
        before: int = server.look()["rss"]
        for _ in range(sizes.bursts[1]):
            burst(server, load, sizes.burst)
        after: int = server.look()["rss"]
        return max(0, after - before) / sizes.stopped / 1000
    finally:
        for reader in readers:
            reader.close()
        load.close()
        server.stop()


def show(sizes: Sizes, rounds: Mapping[str, Sequence[Result]], held: Mapping[str, float]) -> None:
    """Medians with the least and the most of the rounds, each with its ratio to raw sockets."""
    columns = ("server", "CPU us", "x raw", "p99 ms", "x raw", "burst k/s", "x raw", "kB/conn", "stopped", "wrong")
    rows = [
        (
            name,
            _spread([one.cpu_us for one in results]),
            f"{_ratio(rounds, name, lambda one: one.cpu_us):.2f}",
            _spread([one.p99_ms for one in results]),
            f"{_ratio(rounds, name, lambda one: one.p99_ms):.2f}",
            _spread([one.burst_per_second / 1000 for one in results], digits=0),
            f"{_ratio(rounds, name, lambda one: one.burst_per_second):.2f}",
            f"{median(one.kb_per_connection for one in results):.1f}",
            f"{held[SERVERS[name][0]]:.0f}",
            sum(one.wrong for one in results),
        )
        for name, results in rounds.items()
    ]
    load = (
        f"CPU per delivery at {sizes.crowd} clients x {sizes.crowd_rate}/s, p99 at {sizes.clients} x {sizes.rate}/s, "
        f"bursts of {sizes.burst} to {sizes.clients},\nkB held for a stopped reader, deliveries lost or out of order; "
        f"median (least-most) of {sizes.rounds} rounds"
    )
    machine.show(f"Fan-out on {machine.description()}\n{load}", columns, rows)


def verdicts(rounds: Mapping[str, Sequence[Result]], held: Mapping[str, float]) -> list[str]:
    """Each target with what was reached."""
    lines = [_verdict("kB held for a stopped reader", held["coliseum"], STOPPED_KB, at_most=True)]
    for target in TARGETS:
        if target.times_raw:
            value = _ratio(rounds, "coliseum", target.figure)
        else:
            value = median(target.figure(one) for one in rounds["coliseum"])
        lines.append(_verdict(target.text, value, target.limit, at_most=target.at_most))
    return lines


def _verdict(text: str, value: float, limit: float, *, at_most: bool) -> str:
    met = value <= limit if at_most else value >= limit
    return f"{'met   ' if met else 'MISSED'}  {text}: {value:.2f} (target {'<=' if at_most else '>='} {limit:g})"


def _ratio(rounds: Mapping[str, Sequence[Result]], name: str, figure: Callable[[Result], float]) -> float:
    return median(figure(one) / (figure(raw) or math.nan) for one, raw in zip(rounds[name], rounds["raw"], strict=True))


def _spread(values: Sequence[float], *, digits: int = 1) -> str:
    middle = f"{median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def _pin(pid: int, core: int) -> None:
    if len(CORES) > 1:
        os.sched_setaffinity(pid, {CORES[core]})


def main() -> None:
    parser = machine.parser(__doc__)
    parser.add_argument("--full", action="store_true", help="2,000 clients and five rounds, about fifteen minutes")
    parser.add_argument("--rounds", type=int, help="how often each server is measured")
    parser.add_argument("--only", nargs="*", choices=tuple(SERVERS), help="besides raw")
    options = parser.parse_args()
    sizes = FULL if options.full else QUICK if options.quick else USUAL
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 20_000), most))
    _pin(os.getpid(), -1)
    wanted = {"raw", *(options.only or (["coliseum"] if options.quick else SERVERS))}
    names = [name for name in SERVERS if name in wanted]
    rounds: dict[str, list[Result]] = {name: [] for name in names}
    sizes = replace(sizes, rounds=options.rounds or sizes.rounds)
    for number in range(sizes.rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            rounds[name].append(measure(name, sizes))
        if sys.stderr.isatty():
            print(f"round {number + 1} of {sizes.rounds}", file=sys.stderr)
    held = {kind: stopped(kind, sizes) for kind in dict.fromkeys(SERVERS[name][0] for name in names)}
    show(sizes, rounds, held)
    if "coliseum" in rounds:
        print("\n".join(verdicts(rounds, held)))


if __name__ == "__main__":
    main()
