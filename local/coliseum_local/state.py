"""The folder that outlives a run: its lock, the list of child processes, and the cleaning up after a crash."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psutil

GRACE_SECONDS = 30.0
LONGEST_LOG_BYTES = 5_000_000
PUBLISHED = {
    *("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"),
    *("KALSHI_API_BASE", "KALSHI_API_KEY", "KALSHI_RSA_KEY_PATH", "BOT_STATUS_ENDPOINT", "BOT_TRADES_ENDPOINT"),
    *("DECISIONS_QUEUE_URL", "AWS_ENDPOINT_URL_SQS"),
}


class StateFolderInUse(Exception):
    """Another run uses the folder. `pid` is its process, None where it could not be read."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        super().__init__(f"Coliseum already runs from {folder} (pid {pid}); stop it, or set COLISEUM_STATE_DIR")
        self.pid = pid


class StateFolder:
    """`.coliseum`: lock, list of children, logs, and one folder per service."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._children: dict[str, tuple[int, float, str]] = {}
        self._writing = threading.Lock()
        self._lock: IO[str] | None = None

    def acquire(self) -> None:
        """Hold the folder until `release` or the end of the process.

        Raises StateFolderInUse, and OSError where the folder cannot be made or written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise StateFolderInUse(self.path, int(holder) if holder.isdigit() else None) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def folder(self, service: str) -> Path:
        return self.path / service

    def log(self, service: str) -> Path:
        """Where the service's output goes; a long log of earlier runs is moved aside, one generation deep."""
        log = self.path / "logs" / f"{service}.log"
        if log.exists() and log.stat().st_size > LONGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))
        return log

    def remember(self, service: str, *, pid: int, module: str) -> None:
        """Record a child with its start time and module, because another process may get the same pid later."""
        try:
            created = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        with self._writing:
            self._children[service] = (pid, created, module)
            draft = self.path / "children.json.new"
            draft.write_text(json.dumps(self._children))
            draft.replace(self.path / "children.json")

    def publish(self, variables: Mapping[str, str], *, url: str) -> None:
        """Write how to reach the servers, for `make invoke` and tests. It holds tokens: only the owner may read it."""
        file = self.path / "variables.json"
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
            shown = {name: value for name, value in variables.items() if name in PUBLISHED}
            json.dump({**shown, "COLISEUM_URL": url}, sink)

    def published(self) -> dict[str, str] | None:
        """The variables of the run that uses this folder; None where there is none."""
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                return dict(json.loads((self.path / "variables.json").read_text()))
            except (FileNotFoundError, json.JSONDecodeError):
                return None  # it is still starting
        except FileNotFoundError:
            return None
        return None

    def clean_up(self) -> list[str]:
        """End the processes that a crashed run left. Returns the names of the services that still ran."""
        left = {name: process for name, process in self._leftovers().items() if process is not None}
        for process in left.values():
            process.terminate()
        _, alive = psutil.wait_procs(left.values(), timeout=GRACE_SECONDS)
        for process in alive:
            process.kill()
        for name in ("children.json", "variables.json"):
            (self.path / name).unlink(missing_ok=True)
        return sorted(left)

    def _leftovers(self) -> dict[str, psutil.Process | None]:
        try:
            noted = json.loads((self.path / "children.json").read_text())
            return {name: _same(*entry) for name, entry in noted.items()}
        except (FileNotFoundError, json.JSONDecodeError, TypeError, AttributeError):
            return {}


def _same(pid: int, created: float, module: str) -> psutil.Process | None:
    """The process, if it is still the one that was recorded."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < 1 and module in process.cmdline()
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def holder_of(port: int) -> str:
    """The process that listens on `port`: ` by python (pid 42)`, or nothing where this user may not see it."""
    try:
        listening = [entry for entry in psutil.net_connections("tcp") if entry.status == psutil.CONN_LISTEN]
        pid = next((entry.pid for entry in listening if entry.laddr and entry.laddr.port == port), None)
        return "" if pid is None else f" by {psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return ""
