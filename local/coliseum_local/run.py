"""One run of the stack, from the lock to the last stopped process."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from coliseum.config import Settings, load
from coliseum.errors import ConfigurationError
from coliseum_local.installation import read_dotenv, state_folder
from coliseum_local.observation import Observer
from coliseum_local.probes import function_probes, service_probe
from coliseum_local.services import GATEWAY, StackService
from coliseum_local.startup import Startup
from coliseum_local.state import StateFolder, StateFolderInUse
from coliseum_local.supervisor import CannotStart, Supervisor
from coliseum_local.template import Template
from coliseum_local.variables import merged, misspelt
from coliseum_local.view import LiveView, PlainView, links, table

LOOK_SECONDS = 1.0
PLAIN_WIDTH = 120
ROOT = Path(__file__).resolve().parents[2]


def run(root: Path = ROOT) -> int:
    """Start, show, wait for a signal, stop. Returns the exit code."""
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    try:
        dotenv = read_dotenv(root)
        variables = merged(os.environ, dotenv, folder=str(root))
        _check(variables)
    except ConfigurationError as error:
        return _refuse(str(error))
    for name, meant in misspelt(dotenv, _setting_names(root)).items():
        console.print(f"{name} in .env is no setting and changes nothing; {meant} is one", highlight=False)
    state = state_folder(root, variables)
    try:
        state.acquire()
    except StateFolderInUse as held:
        return _refuse(str(held))
    except OSError as error:
        return _refuse(
            f"the state folder {state.path} cannot be made or written ({error.strerror}); "
            "set COLISEUM_STATE_DIR to another one"
        )
    try:
        if left := state.clean_up():
            console.print(f"Ended what an earlier run had left: {', '.join(left)}")
        return _run(console, root, state, variables)
    except CannotStart as error:
        return _refuse(str(error))
    finally:
        state.release()


def _check(variables: Mapping[str, str]) -> None:
    """Check the settings before anything starts; a function would refuse a wrong value only when it is called.

    Raises ConfigurationError.
    """
    values = {name: variables[name.upper()] for name in Settings.model_fields if variables.get(name.upper())}
    settings = load(values)
    settings.require_stream_secrets()
    settings.require_entry_secrets()


def _setting_names(root: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (root / ".env.example").read_text(), re.MULTILINE))


def _run(console: Console, root: Path, state: StateFolder, variables: dict[str, str]) -> int:
    events: list[str] = []
    stopping = _Stop()
    startup = Startup(show=partial(console.print, highlight=False, soft_wrap=True), stopping=stopping)

    def probe(service: StackService) -> None:
        _probe(startup, supervisor, service, root)

    supervisor = Supervisor(root=root, state=state, variables=variables, report=events.append, started=probe)
    startup.expect(*(service.name for service in supervisor.own_services))
    with _stop_on_signals(stopping, supervisor):
        try:
            with startup:
                console.print(f"Starting; state and logs in {state.path} ...", highlight=False)
                supervisor.start()
                state.publish(supervisor.variables, url=supervisor.url(GATEWAY) or "")
                startup.wait()
            if not stopping.is_set():
                _show(console, supervisor, events, stopping)
            console.print(f"Stopping ({stopping.cause}) ...", highlight=False)
        except CannotStart:
            if not stopping.is_set():
                raise
        finally:
            supervisor.stop()
    state.clean_up()
    return 0


def _probe(startup: Startup, supervisor: Supervisor, service: StackService, root: Path) -> None:
    """Ask a service that serves for its first answer; behind the gateway, each function."""
    url = supervisor.url(service) or ""
    startup.probe(service.name, service_probe(service, supervisor.variables, url=url))
    if service is GATEWAY:
        functions = Template.read(root / "template.yaml").functions
        for name, probe in function_probes(functions, gateway=url).items():
            startup.probe(name, probe)


def _show(console: Console, supervisor: Supervisor, events: list[str], stopping: threading.Event) -> None:
    """The table, then the live view until the end."""
    console.print(table(supervisor.standings()), links(supervisor.url(GATEWAY) or ""), sep="\n")
    observer = Observer(supervisor)
    view = LiveView(console) if console.is_terminal else PlainView(console)
    view.open()
    try:
        view.event(_health(observer))
        while not stopping.is_set():
            while events:
                view.event(events.pop(0))
            try:
                view.show(observer.look())
            except Exception as error:  # noqa: BLE001 - a screen that fails must not stop the system
                view.event(f"the screen failed: {type(error).__name__}: {error}")
            stopping.wait(LOOK_SECONDS)
    finally:
        view.close()
        observer.close()


def _health(observer: Observer) -> str:
    health = observer.look(health=True).health
    if health is None:
        return "health: the functions do not answer"
    parts = ("status", "database", "redis", "exchange", "bot", "bot_mode")
    lines = ", ".join(f"{part.replace('_', ' ')} {health[part] or 'not known'}" for part in parts)
    warning = health.get("bot_mode_warning")
    return f"health: {lines}" + (f"; WARNING: {warning}" if warning else "")


class _Stop(threading.Event):
    """Set by a signal, whose name it keeps for the log."""

    cause = "nothing"


@contextmanager
def _stop_on_signals(stopping: _Stop, supervisor: Supervisor) -> Iterator[None]:
    """Ctrl-C, SIGTERM and the terminal's end set it. A second Ctrl-C does not interrupt the ordered stop."""

    def stop(number: int, _frame: object) -> None:
        stopping.cause = signal.Signals(number).name
        stopping.set()
        # Not here: the handler interrupts any line of this thread, which may hold the lock that cancelling needs.
        threading.Thread(target=supervisor.cancel, daemon=True).start()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _refuse(problem: str) -> int:
    print(f"Coliseum does not start: {problem}", file=sys.stderr)
    return 1
