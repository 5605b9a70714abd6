"""A process that looks for alerts and kills itself at a place: `killed_alerts PLACE`, the rest in its environment."""

from __future__ import annotations

import os
import signal
import sys

from functions.alerts.app import build
from tests.integration.alert_world import SteppedRecords

from coliseum import config
from coliseum.alerts.client import AlertSender


def main() -> None:
    place = sys.argv[1]

    def step(name: str) -> None:
        if name == place:
            os.kill(os.getpid(), signal.SIGKILL)

    container = build(config.load())
    watch = container.watch
    records = watch._records
    stepped = SteppedRecords(records._store, records._identity, exchange="kalshi", fill_minutes=15)
    stepped.step = step
    watch._records = watch._sender._records = stepped
    sender = AlertSender()
    plain = sender.send

    def send(*args: object, **named: object) -> str | None:
        step("before sending")
        problem = plain(*args, **named)  # type: ignore[arg-type]  # passed on
        step("after sending")
        return problem

    sender.send = send  # type: ignore[method-assign]  # with a place to die before and after it
    watch._sender._sender = lambda: sender
    watch.run(time_left=lambda: 60.0)


if __name__ == "__main__":
    main()
