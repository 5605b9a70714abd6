"""A function URL in RESPONSE_STREAM mode on this machine: real Runtime API, real wrapper, one process per open stream.

It copies these properties of Lambda:
- A chunk is forwarded when it arrives.
- The function does not learn that a client has left; its response is read to the end.
- An error before the first byte is a 502. After it, the connection breaks off.
- An environment that exceeds its time-out is killed, and the next request starts cold. Beyond the cap there is a 429.
AWS's Runtime Interface Emulator returns a streamed response in one piece, so it cannot show this.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h11

from coliseum_local.gateway import events
from coliseum_local.gateway.app import read_request

PRELUDE_END = b"\0" * 8
ERROR_TYPE = b"lambda-runtime-function-error-type"
CHUNKS_HELD = 16


@dataclass
class InvocationRecord:
    """The outcome of one invocation."""

    path: str
    cold: bool
    outcome: str = "running"
    """complete, error (before the first byte), broken (after it) or timeout."""
    error_type: str | None = None
    client_left: bool = False
    seconds: float = 0.0
    """What Lambda would bill."""
    ended: bool = False
    """All of this is final, and the environment free for the next one."""


class _Broken(Exception):
    """The response cannot go on."""


class UrlInvocation:
    """One event on its way through an environment; its chunks queue up here, a few at a time."""

    def __init__(self, event: dict[str, Any], timeout_seconds: float) -> None:
        self.id = str(uuid.uuid4())
        self.event = event
        self.deadline = time.time() + timeout_seconds
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue(CHUNKS_HELD)
        self.error_type: str | None = None
        self.answered = False


class EmulatedEnvironment:
    """One process under the exec wrapper, with a Runtime API of its own."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], folder: Path) -> None:
        self._command, self._variables, self._folder = command, variables, folder
        self._server: asyncio.Server | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._pending: asyncio.Queue[UrlInvocation] = asyncio.Queue()
        self._current: UrlInvocation | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self.cold = True
        self.init_error: str | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        variables = {**self._variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
        self._process = await asyncio.create_subprocess_exec(*self._command, cwd=self._folder, env=variables)

    async def stop(self, *, kill: bool = False) -> int | None:
        """End the process, and say how it ended."""
        assert self._process is not None
        assert self._server is not None
        if self._process.returncode is None:
            self._process.kill() if kill else self._process.terminate()
        code = await self._process.wait()
        self._server.close()
        for connection in tuple(self._connections):  # one of them waits for an event that will not come
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        return code

    async def invoke(self, invocation: UrlInvocation) -> None:
        """Returns when the process has answered to the end, or died; its chunks arrive in the invocation meanwhile."""
        assert self._process is not None
        self._current = invocation
        self._done = asyncio.Event()
        await self._pending.put(invocation)
        done, death = asyncio.create_task(self._done.wait()), asyncio.create_task(self._process.wait())
        await asyncio.wait({done, death}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            invocation.error_type = self.init_error or "Runtime.ExitError"
            done.cancel()
        death.cancel()
        self.cold = False
        await invocation.chunks.put(None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            request = await _event(connection, reader)
            if isinstance(request, h11.Request):
                await self._answer(request.target.decode(), connection, reader, writer)
        except (OSError, h11.RemoteProtocolError):
            if self._current is not None and not self._current.answered:
                self._current.error_type = "Runtime.TruncatedResponse"
                self._done.set()
        finally:
            writer.close()

    async def _answer(
        self, target: str, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if target.endswith("/runtime/invocation/next"):
            await _drain(connection, reader)
            await self._hand_over(connection, writer)
            return
        assert self._current is not None or target.endswith("/init/error")
        if target.endswith("/response"):
            await self._take_response(connection, reader)
        else:
            document = json.loads(await _drain(connection, reader))
            self._take_error(target, document["errorType"])
        _send(connection, writer, 202, b"{}")
        await writer.drain()
        if not target.endswith("/init/error"):
            self._done.set()

    async def _hand_over(self, connection: h11.Connection, writer: asyncio.StreamWriter) -> None:
        invocation = await self._pending.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):x}-{uuid.uuid4().hex[:24]}",
        }
        _send(connection, writer, 200, json.dumps(invocation.event).encode(), headers)
        await writer.drain()

    async def _take_response(self, connection: h11.Connection, reader: asyncio.StreamReader) -> None:
        assert self._current is not None
        while True:
            part = await _event(connection, reader)
            if isinstance(part, h11.Data):
                await self._current.chunks.put(bytes(part.data))
            elif isinstance(part, h11.EndOfMessage):
                trailers = dict(part.headers)
                self._current.error_type = trailers.get(ERROR_TYPE, b"").decode() or None
                self._current.answered = True
                return

    def _take_error(self, target: str, error_type: str) -> None:
        if target.endswith("/init/error"):
            self.init_error = error_type
        else:
            assert self._current is not None
            self._current.error_type = error_type
            self._current.answered = True


class FunctionUrl:
    """An ASGI app in front of up to `cap` environments. `records` holds the outcome of each request."""

    def __init__(
        self, *, command: Sequence[str], variables: Mapping[str, str], folder: Path, timeout_seconds: float, cap: int
    ) -> None:
        self._new: Callable[[], EmulatedEnvironment] = lambda: EmulatedEnvironment(command, variables, folder)
        self.timeout_seconds = timeout_seconds
        self._cap = cap
        self._idle: list[EmulatedEnvironment] = []
        self._active: set[EmulatedEnvironment] = set()
        self.records: list[InvocationRecord] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        request = await read_request(scope, receive)
        assert request is not None
        if len(self._active) >= self._cap:
            await _answer(send, 429, b'{"Reason":"ConcurrentInvocationLimitExceeded"}')
            return
        environment = self._idle.pop() if self._idle else self._new()
        self._active.add(environment)
        try:
            if environment.cold:
                await environment.start()
            record = InvocationRecord(scope["path"], environment.cold)
            self.records.append(record)
            event = events.function_url(request, request_id=str(uuid.uuid4()), at=datetime.now(UTC))
            await self._run(environment, UrlInvocation(event, self.timeout_seconds), record, receive, send)
        finally:
            self._active.discard(environment)

    async def close(self) -> list[int | None]:
        """End every environment; their exit codes, the idle ones' first."""
        environments = [*self._idle, *self._active]
        self._idle.clear()
        return [await environment.stop() for environment in environments]

    async def _run(
        self,
        environment: EmulatedEnvironment,
        invocation: UrlInvocation,
        record: InvocationRecord,
        receive: Any,
        send: Any,
    ) -> None:
        started = time.monotonic()
        watch = asyncio.create_task(_watch(receive, record))
        work = asyncio.create_task(environment.invoke(invocation))
        try:
            await asyncio.wait_for(_forward(invocation, record, send), self.timeout_seconds)
        except TimeoutError:
            record.outcome = "timeout"
            await environment.stop(kill=True)
            raise _Broken("the function timed out") from None
        finally:
            watch.cancel()
            if record.outcome != "timeout":
                await work
            record.error_type = invocation.error_type
            record.seconds = time.monotonic() - started
            if environment.alive:
                self._idle.append(environment)
            else:
                work.cancel()
                await environment.stop()
            record.ended = True


async def _watch(receive: Any, record: InvocationRecord) -> None:
    """The client's end, for the record alone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if record.outcome == "running":
        record.client_left = True


async def _forward(invocation: UrlInvocation, record: InvocationRecord, send: Any) -> None:
    """Chunks to the client, to the end; a client that has left is drained for, as Lambda does."""
    head = b""
    while PRELUDE_END not in head:
        chunk = await invocation.chunks.get()
        if chunk is None:
            record.outcome = "error"
            await _answer(send, 502, b"Internal Server Error")
            return
        head += chunk
    prelude, _, rest = head.partition(PRELUDE_END)
    await send(_start(json.loads(prelude)))
    part: bytes | None = rest
    while part is not None:
        if part:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        part = await invocation.chunks.get()
    if invocation.error_type is not None:
        record.outcome = "broken"
        raise _Broken(invocation.error_type)
    record.outcome = "complete"
    await send({"type": "http.response.body", "body": b""})


def _start(prelude: dict[str, Any]) -> dict[str, Any]:
    headers = [(name.encode(), value.encode()) for name, value in prelude["headers"].items()]
    headers += [(b"set-cookie", cookie.encode()) for cookie in prelude["cookies"]]
    return {"type": "http.response.start", "status": prelude["statusCode"], "headers": headers}


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _event(connection: h11.Connection, reader: asyncio.StreamReader) -> Any:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(65_536))
    return event


async def _drain(connection: h11.Connection, reader: asyncio.StreamReader) -> bytes:
    body = b""
    while not isinstance(part := await _event(connection, reader), h11.EndOfMessage):
        body += bytes(part.data)
    return body


def _send(
    connection: h11.Connection,
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    pairs = [*(headers or {}).items(), ("Content-Length", str(len(body)))]
    for event in (h11.Response(status_code=status, headers=pairs), h11.Data(data=body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")


def variables(*, task: Path, handler: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What Lambda sets for an environment."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LAMBDA_TASK_ROOT": str(task),
        "_HANDLER": handler,
        "AWS_REGION": "us-east-1",
        **(extra or {}),
    }
