"""Keeps one server of the stack running: starts it, watches it, and restarts it after growing pauses when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coliseum_local.processes import ServerProcess
from coliseum_local.services import StackService

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
STEADY_SECONDS = 60.0
WATCH_SECONDS = 0.2
Report = Callable[[str], None]


class Keeper:
    """One service while the stack runs. `ready` holds the fields of its ready line."""

    def __init__(
        self,
        service: StackService,
        *,
        port: int,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        started: Callable[[StackService, int], None],
        report: Report,
    ) -> None:
        self.service = service
        self.restarts = 0
        self.ready: dict[str, Any] = {}
        self._port = port
        self._arguments = arguments
        self._environment = environment
        self._log = log
        self._started = started
        self._report = report
        self._stopping = threading.Event()
        self._process: ServerProcess | None = None
        self._watcher: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.exit_code is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.alive else None

    def start(self) -> None:
        """Returns when it serves. Raises RuntimeError with the end of its log when it does not."""
        self._process = self._spawn()
        self._watcher = threading.Thread(target=self._watch, name=f"{self.service.name}-keeper", daemon=True)
        self._watcher.start()

    def cancel(self) -> None:
        """Give up starting, because the stack is stopped before it is complete."""
        self._stopping.set()

    def stop(self) -> None:
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        if self._process is not None:
            self._process.stop()

    def _spawn(self) -> ServerProcess:
        process = ServerProcess(
            self.service.module,
            [*self._arguments, "--port", str(self._port)],
            log=self._log,
            environment=self._environment,
            cancelled=self._stopping,
        )
        self.ready = process.ready
        # Other processes have its address by now, so that it must come back on the same port.
        self._port = urlsplit(process.ready["url"]).port or self._port
        self._started(self.service, process.pid)
        return process

    def _watch(self) -> None:
        pause, born = FIRST_PAUSE_SECONDS, time.monotonic()
        while not self._stopping.wait(WATCH_SECONDS):
            assert self._process is not None
            if self._process.exit_code is None:
                continue
            if time.monotonic() - born > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._report(
                f"{self.service.name} ended (exit code {self._process.exit_code}); starting again in {pause:g} s"
            )
            self._process.stop()
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            born = time.monotonic()
            self._start_again()

    def _start_again(self) -> None:
        try:
            self._process = self._spawn()
        except RuntimeError as error:
            if not self._stopping.is_set():
                self._report(f"{self.service.name} does not start: {str(error).splitlines()[-1]} ({self._log})")
            return
        self.restarts += 1
        self._report(f"{self.service.name} runs again")
