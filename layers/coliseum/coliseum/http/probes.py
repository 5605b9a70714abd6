"""Probes every system behind this API in parallel, within the time of a health check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from coliseum.errors import ColiseumError
from coliseum.http.health import ProbeResult
from coliseum.observability import logger
from coliseum.trading.modes import BotMode

Changes = Sequence[Mapping[str, Any]]
"""Changes of the exchange's interface as JSON objects."""
Probe = Callable[[], object]
"""Returns when the system answers, raises a ColiseumError when it does not."""


class Prober:
    """Runs probes in parallel; never raises."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        mode: Callable[[], BotMode | None] = lambda: None,
        changes: Callable[[], Changes] = tuple,
        seconds: float = 4.0,
    ) -> None:
        self._probes = dict(probes)
        self._mode = mode
        self._changes = changes
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(max_workers=4 * (len(self._probes) + 2), thread_name_prefix="probe")

    def run(self) -> tuple[dict[str, ProbeResult], BotMode | None, Changes]:
        """The result of each probe, the bot's mode, and the changes of the exchange's interface.

        A probe that does not end in time is `unknown`. It cannot be stopped, so it goes on in its thread.
        """
        mode, changes = self._threads.submit(self._mode), self._threads.submit(self._changes)
        running = {name: self._threads.submit(probe) for name, probe in self._probes.items()}
        futures: list[Future[Any]] = [mode, changes, *running.values()]
        wait(futures, timeout=self._seconds)
        results = {name: _result(name, future) for name, future in running.items()}
        return (
            results,
            mode.result() if _result("mode", mode) == "up" else None,
            changes.result() if _result("changes", changes) == "up" else (),
        )

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _result(name: str, future: Future[Any]) -> ProbeResult:
    if not future.done():
        future.cancel()
        return "unknown"
    error = future.exception()
    if error is None:
        return "up"
    if isinstance(error, ColiseumError):
        return "down"
    logger().error("probe raised an unexpected exception", probe=name, problem=f"{type(error).__name__}: {error}")
    return "unknown"
