"""Ask every part at once whether it is there, for as long as a health check may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from coliseum.errors import ColiseumError
from coliseum.http.health import ProbeResult
from coliseum.observability import logger
from coliseum.trading.modes import BotMode

Probe = Callable[[], object]
"""Returns when the part is there, raises a ColiseumError when it is not."""


class Prober:
    """Runs probes in parallel and never raises."""

    def __init__(
        self, probes: Mapping[str, Probe], *, mode: Callable[[], BotMode | None] = lambda: None, seconds: float = 4.0
    ) -> None:
        self._probes = dict(probes)
        self._mode = mode
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(max_workers=4 * (len(self._probes) + 1), thread_name_prefix="probe")

    def ask(self) -> tuple[dict[str, ProbeResult], BotMode | None]:
        """What each probe found within the time, and paper or live; a probe still running then is `unknown` and left
        to end."""
        mode = self._threads.submit(self._mode)
        running = {name: self._threads.submit(probe) for name, probe in self._probes.items()}
        asked: list[Future[Any]] = [mode, *running.values()]
        wait(asked, timeout=self._seconds)
        findings = {name: _finding(name, future) for name, future in running.items()}
        return findings, mode.result() if _finding("mode", mode) == "up" else None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _finding(name: str, future: Future[Any]) -> ProbeResult:
    if not future.done():
        future.cancel()
        return "unknown"
    error = future.exception()
    if error is None:
        return "up"
    if isinstance(error, ColiseumError):
        return "down"
    logger().error("probe broke", extra={"probe": name, "error": f"{type(error).__name__}: {error}"})
    return "unknown"
