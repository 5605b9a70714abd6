"""A function's execution environments, as Lambda keeps them: each loads the handler's file into a namespace of its own,
answers one invocation at a time, always in the same thread, and is used again while it is warm.

The limits of Lambda hold here too: the time-out (the environment is not used again, and its handler sees that no time
remains) and the reserved concurrency. Where nothing is reserved, invocations beyond `DEFAULT_LIMIT` wait for a free
environment.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from coliseum_local.gateway.events import ACCOUNT, REGION
from coliseum_local.template import LambdaFunction

DEFAULT_LIMIT = 8
_namespaces = itertools.count(1)


class Throttled(Exception):
    """Every reserved environment is busy."""


class TimedOut(Exception):
    """The function did not answer within its time-out."""


class HandlerFailed(Exception):
    """The handler, or the import of its file, raised."""


class LambdaContext:
    """What a handler gets beside the event, with a deadline that is real."""

    def __init__(self, function: LambdaFunction, request_id: str) -> None:
        self.function_name = f"coliseum-local-{function.name}"
        self.function_version = "$LATEST"
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"
        self.memory_limit_in_mb = str(function.memory_megabytes)
        self.aws_request_id = request_id
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = "local"
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + function.timeout_seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(int((self._deadline - time.monotonic()) * 1000), 0)

    def expire(self) -> None:
        """No time remains: a handler that looks ends soon."""
        self._deadline = time.monotonic()


def load(function: LambdaFunction) -> ModuleType:
    """Run the handler's file in a fresh namespace, as a cold start does."""
    file = function.folder / f"{function.handler.split('.', maxsplit=1)[0]}.py"
    name = f"coliseum_functions.{function.name}_{next(_namespaces)}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks forward references up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class ExecutionEnvironment:
    """One environment: a thread that loads the handler at its first invocation and runs it again and again."""

    def __init__(self, function: LambdaFunction) -> None:
        self._function = function
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._handler: Callable[[Any, LambdaContext], Any] | None = None
        threading.Thread(target=self._run, name=f"{function.name}-environment", daemon=True).start()

    @property
    def loaded(self) -> bool:
        """The handler's file has been run without an error."""
        return self._handler is not None

    async def invoke(self, event: Any, context: LambdaContext) -> Any:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()

        def work() -> None:
            try:
                result = self._handle(event, context)
            except Exception as error:  # noqa: BLE001 - any failure of the handler is its outcome, not the gateway's
                traceback.print_exc(file=sys.stderr)
                failure = HandlerFailed(f"{type(error).__name__}: {error}")
                _settle(loop, outcome, lambda: outcome.set_exception(failure))
            else:
                _settle(loop, outcome, lambda: outcome.set_result(result))

        self._work.put(work)
        return await outcome

    def _handle(self, event: Any, context: LambdaContext) -> Any:
        if self._handler is None:
            self._handler = getattr(load(self._function), self._function.handler.rpartition(".")[2])
        assert self._handler is not None
        return self._handler(event, context)

    def _run(self) -> None:
        while True:
            self._work.get()()


def _settle(loop: asyncio.AbstractEventLoop, outcome: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    def settle_unless_timed_out() -> None:
        if not outcome.done():
            settle()

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle_unless_timed_out)


class EnvironmentPool:
    """All environments of one function, with counts of its invocations."""

    def __init__(self, function: LambdaFunction) -> None:
        self.function = function
        self.invocations = self.errors = self.throttles = self.timeouts = self.running = 0
        self.last_milliseconds: int | None = None
        self.last_result: Any = None
        self._idle: list[ExecutionEnvironment] = []
        self._busy: set[ExecutionEnvironment] = set()
        self._slots = asyncio.Semaphore(DEFAULT_LIMIT if function.concurrency is None else function.concurrency)
        self._contexts: set[LambdaContext] = set()

    async def invoke(self, event: Any, *, request_id: str) -> Any:
        """The handler's answer. Raises Throttled, TimedOut or HandlerFailed."""
        if self.function.concurrency is not None and self._slots.locked():
            self.throttles += 1
            raise Throttled(f"all {self.function.concurrency} reserved environments of {self.function.name} are busy")
        async with self._slots:
            self.invocations += 1
            self.running += 1
            started = time.perf_counter()
            try:
                return await self._invoke(event, LambdaContext(self.function, request_id))
            except HandlerFailed:
                self.errors += 1
                raise
            except TimedOut:
                self.errors += 1
                self.timeouts += 1
                raise
            finally:
                self.running -= 1
                self.last_milliseconds = round((time.perf_counter() - started) * 1000)

    async def _invoke(self, event: Any, context: LambdaContext) -> Any:
        environment = self._idle.pop() if self._idle else ExecutionEnvironment(self.function)
        self._busy.add(environment)
        self._contexts.add(context)
        try:
            result = await asyncio.wait_for(environment.invoke(event, context), self.function.timeout_seconds)
        except TimeoutError:
            context.expire()
            raise TimedOut(f"{self.function.name} did not answer in {self.function.timeout_seconds} s") from None
        except HandlerFailed:
            self._idle.append(environment)
            raise
        finally:
            self._busy.discard(environment)
            self._contexts.discard(context)
        self._idle.append(environment)
        self.last_result = result
        return result

    async def drain(self, *, seconds: float) -> None:
        """Let running handlers see that no time remains, and wait up to `seconds` for them."""
        deadline = time.monotonic() + seconds
        while self._contexts and time.monotonic() < deadline:
            for context in self._contexts:
                context.expire()
            await asyncio.sleep(0.05)

    def report(self) -> dict[str, Any]:
        return {
            "function": self.function.name,
            "invocations": self.invocations,
            "running": self.running,
            "loaded": sum(environment.loaded for environment in (*self._idle, *self._busy)),
            "errors": self.errors,
            "throttles": self.throttles,
            "timeouts": self.timeouts,
            "last_milliseconds": self.last_milliseconds,
        }
