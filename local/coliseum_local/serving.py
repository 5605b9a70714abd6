"""Shared by the HTTP servers of the stack: listen on this machine, serve until a signal, lock the state folder."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn

BACKLOG = 1024


def listen(port: int) -> socket.socket:
    """A listener on this machine alone; port 0 takes any free port."""
    listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    # Inherited by accepted connections. asyncio sets it only on sockets made with an explicit protocol; without it
    # every answer that leaves in two pieces waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Server(uvicorn.Server):
    """uvicorn, with a `begin` that returns when it serves.

    Signals are ours: uvicorn would raise them again before the services behind this server have been stopped.
    """

    def __init__(self, app: Any, listener: socket.socket, **options: Any) -> None:
        quiet = {"log_level": "warning", "lifespan": "off", "access_log": False, "ws": "none"}
        super().__init__(uvicorn.Config(app, **{**quiet, **options}))
        self._listener = listener
        self._up = asyncio.Event()
        self._run: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Serve from now on; returns once it does."""
        self._run = asyncio.create_task(self.serve(sockets=[self._listener]))
        await self._up.wait()

    async def end(self) -> None:
        """Stop, and wait until the last answer is out."""
        self.should_exit = True
        if self._run is not None:
            await self._run

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def stop_signal() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


async def start_unless_stopped(start: Coroutine[Any, Any, None], stopping: asyncio.Event) -> bool:
    """Wait for `start`, or for the signal: then `start` is cancelled, and the result is False.

    Raises what `start` raises.
    """
    starting, signalled = asyncio.create_task(start), asyncio.create_task(stopping.wait())
    await asyncio.wait((starting, signalled), return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    starting.cancel()  # does nothing where it has finished
    await asyncio.wait((starting,))
    if starting.cancelled():
        return False
    starting.result()
    return True


def own(state: Path, *, server: str) -> int:
    """Make the state folder private and lock it until this process ends."""
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{state} is in use by another {server}")
    return lock
