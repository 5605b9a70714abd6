"""One embedded Postgres server: create its data, start it, watch it, stop it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

from coliseum_local.postgres.binaries import SystemUser, account, programs

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


class PostgresCluster:
    """Postgres over one data directory, reached by password on a loopback port.

    As root the server runs as an account without rights. That account may be locked out of the directories above
    the data (a home, pytest's folders), so it gets the data as an open file descriptor, not as a path.
    """

    def __init__(self, state: Path, *, password: str) -> None:
        self._data = state / "pg16"
        self._password = password
        self._runner = account()
        self._programs = programs(self._runner, spare=state / "programs")
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._starting = threading.Lock()

    @property
    def dsn(self) -> str:
        """Of the superuser."""
        return self.dsn_of("postgres")

    def dsn_of(self, login: str) -> str:
        return f"postgresql://{login}:{self._password}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Returns when it answers. The data of an earlier run is used again. Raises RuntimeError."""
        self._end_predecessor()
        if not (self._data / "PG_VERSION").exists():
            self._create()
        self._port = _free_port()
        self._launch()
        threading.Thread(target=self._watch, name="postgres-watch", daemon=True).start()

    def stop(self) -> None:
        """Stop it in order: clients are disconnected, and everything committed is on disk."""
        self._stopping.set()
        with self._starting:  # no server is started from here on
            process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)  # Postgres' fast shutdown
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _create(self) -> None:
        """Run initdb in a draft folder that is renamed when it is complete, so that a crash leaves no half of it."""
        draft = self._data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(self._password.encode() + b"\n")
        try:
            if self._runner is not None:
                os.chown(draft, self._runner.uid, self._runner.gid)
                os.fchown(reading, self._runner.uid, self._runner.gid)
            with self._reachable(draft) as (path, descriptors):
                done = subprocess.run(
                    [
                        *(self._programs / "initdb", "-D", path, "-U", "postgres", "-E", "UTF8"),
                        *("--auth=scram-sha-256", f"--pwfile=/dev/fd/{reading}", f"--locale={_locale()}"),
                        *("--no-sync", "--no-instructions"),
                    ],
                    pass_fds=(*descriptors, reading),
                    capture_output=True,
                    check=False,
                    **_as(self._runner),
                )
        finally:
            os.close(reading)
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stderr.decode(errors='replace').strip()[-500:]}")
        draft.rename(self._data)

    def _launch(self) -> None:
        """Start the server, and again while the last one's processes still hold its memory."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._stopping.is_set():
            self._spawn()
            if self._answers(deadline):
                return
            if time.monotonic() > deadline:
                raise RuntimeError("Postgres does not start; its own messages are above")
            self._stopping.wait(0.2)

    def _spawn(self) -> None:
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with self._starting, self._reachable(self._data) as (path, descriptors):
            if not self._stopping.is_set():
                self._process = subprocess.Popen(
                    [self._programs / "postgres", "-D", path, "-p", str(self._port), *settings],
                    stdin=subprocess.DEVNULL,
                    stdout=sys.stderr,
                    pass_fds=descriptors,
                    start_new_session=True,  # Ctrl-C must reach this process alone, which stops Postgres in order
                    **_as(self._runner),
                )

    def _answers(self, deadline: float) -> bool:
        """Wait until it answers; False when it ends instead, or the time is over."""
        assert self._process is not None
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.dsn, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def _watch(self) -> None:
        """Start the server again on the same port whenever it ends unasked."""
        while not self._stopping.is_set():
            assert self._process is not None
            code = self._process.wait()
            if not self._stopping.is_set():
                print(f"Postgres ended (exit code {code}); starting it again", file=sys.stderr, flush=True)
                try:
                    self._launch()
                except RuntimeError as error:
                    print(f"{error}; giving up", file=sys.stderr, flush=True)
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

    def _end_predecessor(self) -> None:
        """Stop the server that a killed run left over our data, if it really is one."""
        process = server_over(self._data)
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)

    @contextlib.contextmanager
    def _reachable(self, folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
        """A path under which the runner reaches `folder`, and the descriptors it needs for that."""
        if self._runner is None:
            yield str(folder), ()
            return
        if not Path("/proc/self/fd").is_dir():
            raise RuntimeError("Postgres refuses to run as root here; run as a user, or set COLISEUM_DATABASE_URL")
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)


def _as(runner: SystemUser | None) -> dict[str, Any]:
    """Popen's arguments for running as `runner`, in a directory that it can enter."""
    return {} if runner is None else {"user": runner.uid, "group": runner.gid, "extra_groups": [], "cwd": "/"}


def server_over(data: Path) -> psutil.Process | None:
    """The running server whose working directory is `data`; None for another process that got its pid."""
    note = data / "postmaster.pid"
    try:
        process = psutil.Process(int(note.read_text().splitlines()[0]))
        if process.name().startswith("postgres") and Path(process.cwd()) == data:
            return process
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        pass
    note.unlink(missing_ok=True)  # Postgres would refuse to start while any process has this pid
    return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _locale() -> str:
    return "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
