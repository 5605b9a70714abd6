"""A process that looks for alerts and kills itself at a place: `killed_alerts PLACE`, the rest in its environment."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from functions.alerts.app import build
from tests.integration.alert_world import SteppedRecords

from coliseum import config
from coliseum.alert_settings import AlertService
from coliseum.alerts.client import AlertSender
from coliseum.alerts.texts import WrittenMessage


def step(name: str) -> None:
    if name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)


class MortalSender(AlertSender):
    """Apprise, with a place to die before and after each message."""

    def send(self, service: AlertService, message: WrittenMessage, *, seconds: float) -> str | None:
        step("before sending")
        problem = super().send(service, message, seconds=seconds)
        step("after sending")
        return problem


def stepped_records(*args: Any, **named: Any) -> SteppedRecords:
    records = SteppedRecords(*args, **named)
    records.step = step
    return records


if __name__ == "__main__":
    container = build(config.load(), records_of=stepped_records, sender=MortalSender)
    container.watch.run(time_left=lambda: 60.0)
