"""Child processes of the local stack: start, wait for the ready line, stop with everything they started.

A server is a module run as `python -m <module> …`. It prints one JSON object on one line to stdout once it
serves, ends on SIGTERM, and ends by itself when its stdin closes: a parent that was killed leaves no orphan.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class ServerProcess:
    """One server of the stack, running as a child process."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = 60.0,
    ) -> None:
        self.module = module
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
                start_new_session=True,  # Ctrl-C reaches the supervisor alone; it stops the rest in order
            )
        self.ready: dict[str, Any] = self._wait_ready(ready_seconds)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Ask it to end; kill it when it does not within the grace."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self.stop()

    def _wait_ready(self, seconds: float) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if not selector.select(timeout=0.2) and self._process.poll() is None:
                    continue
                line = stdout.readline()
                if line.startswith(b"{"):
                    ready: dict[str, Any] = json.loads(line)
                    return ready
                if not line:
                    break
        self.stop(grace_seconds=1)
        tail = self._log.read_text(errors="replace").splitlines()[-15:]
        raise RuntimeError(f"{self.module} did not start; the end of {self._log}:\n" + "\n".join(tail))


def announce_ready(**facts: object) -> None:
    """Tell the parent that we serve, and end when the parent is gone."""
    print(json.dumps(facts), flush=True)
    if sys.stdin is not None and not sys.stdin.isatty():
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Not sys.stdin.read: its lock, held here at interpreter shutdown, would end the process with a fatal error.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
