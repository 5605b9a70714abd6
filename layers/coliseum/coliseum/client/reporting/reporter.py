"""The reporter: what a bot calls, and the thread that does the work."""

from __future__ import annotations

import atexit
import functools
import json
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, cast

from coliseum.client.reporting.bot_server import BotServer
from coliseum.client.reporting.kept_trades import KeptTrades
from coliseum.client.reporting.problem_log import ProblemLog
from coliseum.client.reporting.push_queue import PushQueue, trades_body
from coliseum.client.reporting.signed_push import PushSettingError, SignedPush
from coliseum.client.reporting.trade_rows import mode_from, trade_row

PORT_SECONDS = 10.0
"""Between two tries to open a port that is taken."""
AGAIN_SECONDS = 1.0
CLOSE_SECONDS = 1.0
STATUS_CHARACTERS_MAX = 1_000_000
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _never_raises(method: _Method) -> _Method:
    """Note what goes wrong in a call of the bot, and return False."""

    @functools.wraps(method)
    def call(self: Reporter, *arguments: Any, **named: Any) -> bool:
        try:
            return bool(method(self, *arguments, **named))
        except Exception as error:  # noqa: BLE001 - whatever it is, the bot goes on trading
            self.refuse(f"{method.__name__}: {error}")
        return False

    return cast(_Method, call)


class Reporter:
    """Reports one bot. `trade` and `status` may be called from any thread; they never raise and wait for nothing.

    One file belongs to one process at a time. A second one keeps its trades in memory, answers and pushes nothing, and
    takes over as soon as the first has ended. So does a process that was forked, once it reports something.
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | None = "coliseum-trades.log",
        *,
        port: int | None = 9000,
        host: str = "127.0.0.1",
        url: str | None = None,
        secret: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`file`: where the trades are kept; None keeps them in memory only, so that a restart begins a new run.

        `port`: where the bot is asked, 0 for any free port, None for none. `url` and `secret`: the address of the
        deployment and its BOT_WEBHOOK_SECRET, to push each trade at once. `clock` gives unix seconds. A value that
        cannot be used is a problem (see `problems`) and not an error.
        """
        self._clock = clock
        self._host, self._wanted_port, self._port_due = host, port, 0.0
        self._problem_log = ProblemLog()
        path = None if file is None else os.fspath(file)
        self._kept = KeptTrades(path, run=_started_at(clock()), problems=self._problem_log)
        self._status: dict[str, Any] = {}
        self._status_version = 0
        self._server: BotServer | None = None
        self._queue: PushQueue | None = None
        self._closed: str | None = None
        """Why this reporter takes nothing more."""
        self._wake = threading.Event()
        self._worker: threading.Thread | None = None
        try:
            if url is not None or secret is not None:
                push = SignedPush(url or "", secret or "", clock=clock)
                self._queue = PushQueue(push, self._kept, status_body=self._status_body)
        except PushSettingError as error:
            self._problem_log.set("push", f"nothing is pushed: {error}")
        self._kept.tend()
        self._tend_port()
        self._problem_log.write()
        self._ensure_worker()
        _REPORTERS.add(self)

    def __repr__(self) -> str:
        return f"<Reporter of {self._kept.newest.count} trades, port {self.port}>"

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int | None:
        """The port on which the bot answers now; None where it does not."""
        server = self._server
        return None if server is None else server.server_port

    @property
    def problems(self) -> dict[str, str]:
        """What does not work now, as sentences, by what it concerns: file, copy, port, push, worker."""
        return self._problem_log.current

    @property
    def refused(self) -> int:
        """Calls and fields that could not be used."""
        return self._problem_log.refused

    @_never_raises
    def trade(
        self,
        ticker: str,
        side: str,
        quantity: Any,
        price: Any,
        *,
        outcome: str | None = None,
        trade_id: Any = None,
        timestamp: Any = None,
        fee: Any = None,
        order_id: Any = None,
        strategy: str | None = None,
    ) -> bool:
        """Report an execution: contracts, and dollars per contract (0.65, not 65). True: it is recorded, or was before.

        `trade_id` is the exchange's fill id, so that a repetition is noticed; without one it gets an id of its own.
        `timestamp` is when it was executed; without one it is now. docs/bot.md explains the other fields.
        """
        row, problems = trade_row(
            ticker=ticker,
            side=side,
            quantity=quantity,
            price=price,
            outcome=outcome,
            trade_id=uuid.uuid4() if trade_id is None else trade_id,
            timestamp=self._clock() if timestamp is None else timestamp,
            fee=fee,
            order_id=order_id,
            strategy=strategy,
        )
        for problem in problems:
            self.refuse(f"trade: {problem}")
        with self._kept.lock:
            self._require_open()
            is_new = self._kept.record(row, ignore_time=timestamp is None)
        self._ensure_worker()
        if is_new and (self._queue is not None or self._kept.needs_care):
            self._wake.set()
        return True

    @_never_raises
    def status(self, **fields: Any) -> bool:
        """Say what the bot does: mode (paper or live), strategy, positions, last_error, idle_reasons, and others.

        A field keeps its value until it is given again. Values have to be JSON, decimals or times.
        """
        if fields.get("mode") is not None:
            fields["mode"] = mode_from(fields["mode"])
        text = json.dumps(fields, default=_json_value, allow_nan=False)
        if len(text) > STATUS_CHARACTERS_MAX:
            raise ValueError(f"got {len(text)} characters, expected at most {STATUS_CHARACTERS_MAX}")
        given = json.loads(text)  # a copy, which the bot cannot change meanwhile
        with self._kept.lock:
            self._require_open()
            merged = {**self._status, **given}
            is_new = merged != self._status
            self._status = merged
            self._status_version += is_new
        self._ensure_worker()
        if is_new and self._queue is not None:
            self._wake.set()
        return True

    def answer(self, path: str) -> bytes | None:
        """The body of GET /health, /status or /trades, for a web server of your own; None for another path."""
        if path == "/status":
            return self._status_body()
        with self._kept.lock:
            newest = self._kept.newest
            if path == "/trades":
                return trades_body(newest.listed(now=time.monotonic()), newest)
            head = {"status": "alive", "mode": self._status.get("mode")}
            head |= {"started_at": newest.run, "trade_count": newest.count}
        return json.dumps(head).encode() if path == "/health" else None

    def close(self, *, wait_seconds: float = CLOSE_SECONDS) -> None:
        """Push what is left, within a second, and end the threads. The trades stay on disk."""
        with self._kept.lock:
            if self._closed is not None:
                return
            self._closed = "the reporter is closed"
        self._wake.set()
        worker, server = self._worker, self._server
        if worker is not None and worker is not threading.current_thread():
            worker.join(wait_seconds)
        self._server = None
        if server is not None:
            server.shutdown()
            server.server_close()
        self._kept.close()
        self._problem_log.write()

    def refuse(self, sentence: str) -> None:
        """Count what a call of the bot had wrong, and log each sentence once."""
        self._problem_log.refuse(sentence)
        self._wake.set()  # the worker writes the log

    def hold(self) -> None:
        """Before a fork: nobody is in the middle of a change."""
        self._kept.lock.acquire()

    def release(self) -> None:
        """After a fork, in the parent."""
        self._kept.lock.release()

    def begin_anew(self) -> None:
        """After a fork, in the child. The parent keeps file, port and connection as long as it lives."""
        self._wake, self._worker = threading.Event(), None
        self._problem_log.renew_lock()
        if not self._kept.has_file and self._closed is None:
            self._closed = "this process was forked: make the Reporter in the process that trades, or give it a file"
        if self._server is not None:
            self._server.socket.close()
            self._server = None
        if self._queue is not None:
            self._queue.begin_anew()
        self._kept.begin_anew(run=_started_at(self._clock()))
        self._port_due = 0.0

    def _require_open(self) -> None:
        if self._closed is not None:
            raise ValueError(self._closed)

    def _ensure_worker(self) -> None:
        if self._worker is None and self._closed is None:
            with self._kept.lock:
                if self._worker is None:
                    worker = threading.Thread(target=self._work, name="coliseum-reporter", daemon=True)
                    try:
                        worker.start()
                    except RuntimeError as error:  # no threads are left, or the interpreter is ending
                        self._problem_log.set("worker", f"nothing is pushed or answered: {error}")
                    else:
                        self._worker = worker

    def _work(self) -> None:
        """Tend file, port, push and log until the reporter is closed. The last turns push what is left."""
        while True:
            self._wake.clear()
            is_last = self._closed is not None
            try:
                wait = self._turn(is_last=is_last)
            except Exception as error:  # noqa: BLE001 - the thread must survive what nobody expected
                self._problem_log.set("worker", f"a task failed and is tried again: {type(error).__name__}: {error}")
                wait = AGAIN_SECONDS
            self._problem_log.write()
            if is_last and wait != 0.0:
                if self._queue is not None:
                    self._queue.close()
                return
            if wait != 0.0:
                self._wake.wait(wait)

    def _turn(self, *, is_last: bool) -> float | None:
        """Do what is due. Seconds until something else is; None: not before a call."""
        waits = [self._kept.tend(), self._tend_port()]
        if self._queue is not None:
            mode = self._status.get("mode")
            waits.append(self._queue.tend(status_version=self._status_version, mode=mode, is_last=is_last))
            if self._queue.problem is None:
                self._problem_log.solve("push")
            else:
                self._problem_log.set("push", f"trades are not pushed: {self._queue.problem}")
        self._problem_log.solve("worker")
        return min((wait for wait in waits if wait is not None), default=None)

    def _tend_port(self) -> float | None:
        now = time.monotonic()
        if self._server is not None or self._wanted_port is None or self._kept.is_waiting or self._closed is not None:
            return None
        if now < self._port_due:
            return self._port_due - now
        try:
            self._server = BotServer(self._host, self._wanted_port, self.answer, lambda: self._status.get("mode"))
        except (OSError, OverflowError, TypeError, ValueError, RuntimeError) as error:
            self._port_due = now + PORT_SECONDS
            reason = getattr(error, "strerror", None) or error
            rest = "nobody can ask the bot" if self._queue is None else "trades are pushed only"
            self._problem_log.set("port", f"port {self._wanted_port} of {self._host} cannot be used, {rest}: {reason}")
            return PORT_SECONDS
        self._problem_log.solve("port")
        return None

    def _status_body(self) -> bytes:
        own = {"version": 1, "refused": self.refused, "problems": list(self.problems.values())}
        return json.dumps({**self._status, "reporter": {**own, "pushes": self._queue is not None}}).encode()


def _json_value(value: Any) -> Any:
    if isinstance(value, (Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"got a value of type {type(value).__name__}, expected JSON, a decimal or a time")


def _started_at(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"


_REPORTERS: weakref.WeakSet[Reporter] = weakref.WeakSet()


def _each(do: Callable[[Reporter], None]) -> None:
    for reporter in list(_REPORTERS):
        do(reporter)


atexit.register(_each, Reporter.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=functools.partial(_each, Reporter.hold),
        after_in_parent=functools.partial(_each, Reporter.release),
        after_in_child=functools.partial(_each, Reporter.begin_anew),
    )
