"""Starts the stack in order, keeps it running, and stops it.

   redis ─┐
postgres ─┼─> gateway       each is not started where its variable names a server of the user
exchange ─┼─> bot ─┘
   queue ─┘
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from coliseum.webhooks import webhook_secret
from coliseum_local import variables as names
from coliseum_local.keeper import Keeper
from coliseum_local.services import (
    BOT,
    EXCHANGE,
    GATEWAY,
    POSTGRES,
    QUEUE,
    REDIS,
    Replacement,
    StackService,
    agent_port,
    replacements,
)
from coliseum_local.state import StateFolder, holder_of, port_is_free

SERVICES = (REDIS, POSTGRES, EXCHANGE, QUEUE, BOT, GATEWAY)


class CannotStart(Exception):
    """The stack cannot start; the message says what to change."""


@dataclass(frozen=True)
class ServiceStatus:
    """One line of the table: a service, its address, and whether this stack started it."""

    service: StackService
    url: str | None
    note: str
    keeper: Keeper | None


class Supervisor:
    """The stack of one state folder."""

    def __init__(
        self,
        *,
        root: Path,
        state: StateFolder,
        variables: Mapping[str, str],
        report: Callable[[str], None],
        started: Callable[[StackService], None] = lambda service: None,
    ) -> None:
        """`report` gets a line about every service that ends or comes back. `started` is called, in the thread that
        started it, once a service serves and its variables are known."""
        self._root = root
        self._state = state
        self._variables = dict(variables)
        self._report = report
        self._started = started
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._keepers: dict[StackService, Keeper] = {}
        try:
            self._replaced = replacements(variables)
            self._ports = {service: service.port(variables) for service in SERVICES if service not in self._replaced}
            agent_port(variables)  # the gateway uses it
        except ValueError as error:
            raise CannotStart(str(error)) from None

    def start(self, *, gateway: bool = True) -> None:
        """Returns when everything serves; without `gateway`, everything that the functions use.

        Raises CannotStart; `stop` then ends the services that had started.
        """
        self._check_ports()
        if BOT in self._replaced and self._replaced[BOT].url is not None:
            self._learn(names.of_external_bot(self._variables))
        steps = (self._start_redis, self._start_postgres, self._start_exchange, self._start_queue)
        with ThreadPoolExecutor(max_workers=len(steps)) as pool:
            started = [pool.submit(step) for step in steps]
        for step in started:
            self._raise(step.exception())
        if not gateway:
            return
        try:
            if self._start(GATEWAY, ["--template", str(self._root / "template.yaml")]):
                self._started(GATEWAY)
        except RuntimeError as error:
            self._raise(error)

    def cancel(self) -> None:
        """Give up starting, soon."""
        self._stopping.set()
        with self._lock:
            for keeper in self._keepers.values():
                keeper.cancel()

    def stop(self) -> None:
        """Readers first, stores last, so that no service writes to one that has ended."""
        self.cancel()
        for wave in ((GATEWAY,), (BOT,), (EXCHANGE, QUEUE, REDIS, POSTGRES)):
            keepers = [self._keepers[service] for service in wave if service in self._keepers]
            if keepers:
                with ThreadPoolExecutor(max_workers=len(keepers)) as pool:
                    list(pool.map(Keeper.stop, keepers))

    def standings(self) -> list[ServiceStatus]:
        return [self._standing(service) for service in SERVICES]

    def url(self, service: StackService) -> str | None:
        return self._standing(service).url

    @property
    def own_services(self) -> tuple[StackService, ...]:
        """Those that this stack starts itself; the user's variables replace the others."""
        return tuple(service for service in SERVICES if service not in self._replaced)

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment the functions run under."""
        return self._variables

    def _check_ports(self) -> None:
        service_by_port: dict[int, StackService] = {}
        for service, port in self._ports.items():
            if port == 0:
                continue
            if port in service_by_port:
                other = service_by_port[port].port_variable
                raise CannotStart(f"port {port} is wanted twice; change {service.port_variable} or {other}")
            service_by_port[port] = service
            if not port_is_free(port):
                raise CannotStart(
                    f"port {port} for {service.name} is taken{holder_of(port)}; "
                    f"set {service.port_variable} to another one, or to 0 for any free one"
                )

    def _start_redis(self) -> None:
        if keeper := self._start(REDIS, ["--state", str(self._state.folder("redis"))]):
            self._serves(REDIS, names.of_redis(keeper.ready))

    def _start_postgres(self) -> None:
        if keeper := self._start(POSTGRES, ["--state", str(self._state.folder("postgres"))]):
            self._serves(POSTGRES, names.of_postgres(keeper.ready))

    def _start_queue(self) -> None:
        template = str(self._root / "template.yaml")
        if keeper := self._start(QUEUE, ["--state", str(self._state.folder("queue")), "--template", template]):
            self._serves(QUEUE, names.of_queue(keeper.ready))

    def _start_exchange(self) -> None:
        """The bot starts here too, because the exchange is all that it needs."""
        if keeper := self._start(EXCHANGE, ["--state", str(self._state.folder("exchange"))]):
            rounds = names.of_sandbox_rounds(self._variables)
            self._serves(EXCHANGE, {**names.of_exchange(keeper.ready), **rounds})
        if BOT in self._replaced:
            return
        arguments = [
            *("--state", str(self._state.folder("bot"))),
            *("--exchange", self._variables["KALSHI_API_BASE"]),
            *("--api-key", self._variables["KALSHI_API_KEY"]),
            *("--private-key", self._variables["KALSHI_RSA_KEY_PATH"]),
        ]
        self._learn(names.of_push(self._variables, made=webhook_secret()))
        if port := self._ports[GATEWAY]:  # any free port is known only when the gateway serves
            arguments += ["--push", f"http://127.0.0.1:{port}"]
        if keeper := self._start(BOT, arguments):
            self._serves(BOT, names.of_bot(keeper.ready["url"]))

    def _serves(self, service: StackService, variables: Mapping[str, str]) -> None:
        self._learn(variables)
        self._started(service)

    def _learn(self, variables: Mapping[str, str]) -> None:
        """Add to the environment of the services that start from now on."""
        with self._lock:
            self._variables |= variables

    def _start(self, service: StackService, arguments: Sequence[str]) -> Keeper | None:
        if service in self._replaced:
            return None
        if service is GATEWAY:
            arguments = [*arguments, "--state", str(self._state.folder("gateway"))]
        with self._lock:
            environment = dict(self._variables)
        keeper = Keeper(
            service,
            port=self._ports[service],
            arguments=arguments,
            environment=environment,
            log=self._state.log(service.name),
            started=lambda started, pid: self._state.remember(started.name, pid=pid, module=started.module),
            report=self._report,
        )
        with self._lock:
            self._keepers[service] = keeper
            if self._stopping.is_set():
                keeper.cancel()
        keeper.start()
        return keeper

    def _standing(self, service: StackService) -> ServiceStatus:
        replacement: Replacement | None = self._replaced.get(service)
        keeper = self._keepers.get(service)
        if replacement is not None and replacement.url is not None:
            return ServiceStatus(service, replacement.url, f"yours, by {replacement.reason}", None)
        if replacement is not None:
            return ServiceStatus(service, None, f"not started: {replacement.reason}", None)
        return ServiceStatus(service, None if keeper is None else keeper.ready.get("url"), service.what, keeper)

    def _raise(self, error: BaseException | None) -> None:
        if isinstance(error, RuntimeError):
            raise CannotStart(str(error)) from None
        if error is not None:
            raise error
