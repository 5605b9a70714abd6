"""Child processes of the local stack: start, wait for the ready line, stop with everything they started.

A server is a module run as `python -m <module> …`. It prints one JSON object on one line to stdout once it
serves, ends on SIGTERM, and ends by itself when its stdin closes: a parent that was killed leaves no orphan.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

START_SECONDS = 180.0
"""Limit for one server's start. A server that cannot start ends at once, so only a slow machine needs this long."""
GRACE_SECONDS = 30.0
"""Between SIGTERM and SIGKILL: longer than the graces of the servers inside, which stop their own children first."""
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYDANTIC_DISABLE_PLUGINS": "1"}
"""Logfire's plugin for pydantic is not used, and importing it doubles every server's start."""


class ServerProcess:
    """One server of the stack, running as a child process."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = START_SECONDS,
        cancelled: threading.Event | None = None,
    ) -> None:
        """Start it and wait until it serves. Raises RuntimeError with the end of its log where it does not, or where
        `cancelled` is set before; then it has been stopped again."""
        self.module = module
        self._log = log
        self._cancelled = cancelled or threading.Event()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env={**os.environ, **ENVIRONMENT, **(environment or {})},
                start_new_session=True,  # Ctrl-C reaches the supervisor alone; it stops the rest in order
            )
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_output, name=f"{module}-output", daemon=True)
        self._reader.start()
        self.ready: dict[str, Any] = self._wait_ready(ready_seconds)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        """Wait until it ends; its exit code. Raises subprocess.TimeoutExpired when it still runs after `seconds`."""
        return self._process.wait(seconds)

    def hang_up(self) -> None:
        """Close our end of its stdin, as the end of this process would."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """Ask it to end; kill it when it does not within the grace."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.hang_up()
        self._reader.join(timeout=2)  # longer only where a grandchild outlives it

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self.stop()

    def _wait_ready(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._cancelled.is_set():
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                break
            ready: dict[str, Any] = json.loads(line)
            return ready
        self.stop()  # with the whole grace: a server that is killed leaves Valkey or Postgres running
        tail = self._log.read_text(errors="replace").splitlines()[-15:]
        raise RuntimeError(f"{self.module} did not start; the end of {self._log}:\n" + "\n".join(tail))

    def _read_output(self) -> None:
        """Hand over the ready line and write the rest to the log. A pipe that is not read would block the server."""
        stdout = self._process.stdout
        assert stdout is not None
        announced = False
        with stdout, self._log.open("ab") as sink:
            while line := stdout.readline():
                if not announced and line.startswith(b"{"):
                    announced = True
                    self._lines.put(line)
                else:
                    sink.write(line)
                    sink.flush()
        self._lines.put(None)


def announce_ready(**facts: object) -> None:
    """Print the ready line, and end this process when the parent has ended."""
    print(json.dumps(facts), flush=True)
    if sys.stdin is not None and not sys.stdin.isatty():
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Not sys.stdin.read: its lock, held here at interpreter shutdown, would end the process with a fatal error.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
