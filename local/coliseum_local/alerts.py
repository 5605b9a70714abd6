"""`coliseum alerts test`: sends a message to each address of ALERT_URLS and says which of them take it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from coliseum.alerts.client import AlertSender
from coliseum.alerts.rules import RuleName
from coliseum.alerts.sending import SEND_SECONDS, Sends
from coliseum.alerts.texts import TITLES, WrittenMessage
from coliseum.config import load
from coliseum.errors import ConfigurationError
from coliseum_local.installation import read_installation
from coliseum_local.run import ROOT


def send_test(root: Path = ROOT, *, show: Callable[[str], None] = print, sender: Sends | None = None) -> int:
    """Send the message and print one line for each address. Returns 0 where all took it, else 1.

    An address is named by its position and its service's name, never shown.
    """
    try:
        settings = load(read_installation(root).setting_values)
    except ConfigurationError as error:
        print(f"nothing sent: {error}", file=sys.stderr)
        return 1
    services = settings.alert_services
    if not services:
        print("nothing sent: ALERT_URLS is not set; docs/alerts.md has examples", file=sys.stderr)
        return 1
    sender = sender or AlertSender()
    now = int(time.time())
    text = f"This is a test. Alerts of the bot {settings.bot_name} will arrive here."
    number = f"test:{settings.bot_name}:{now}"
    message = WrittenMessage(f"Coliseum: {TITLES[RuleName.TEST]}", f"{text}\nid {number} (noted)")
    failures = 0
    for position, service in enumerate(services, start=1):
        problem = sender.send(service, message, seconds=SEND_SECONDS)
        failures += problem is not None
        show(f"address {position} ({service.name}): {'sent' if problem is None else f'failed: {problem}'}")
    return 1 if failures else 0


def show_limits(root: Path = ROOT, *, show: Callable[[str], None] = print) -> int:
    """Print each limit with its present value. Returns 0, or 1 where a setting is wrong."""
    try:
        limits = load(read_installation(root).setting_values).alert_limits
    except ConfigurationError as error:
        print(f"no rules: {error}", file=sys.stderr)
        return 1
    for each in fields(limits):
        value = getattr(limits, each.name)
        show(f"{each.name}={'off' if value is None else f'{value:g}'}  {each.metadata['about']}")
    return 0
