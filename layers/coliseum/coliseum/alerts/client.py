"""Sends messages through Apprise. The only importer of its SDK, which loads with the first message (0.4 s of CPU).

What the SDK does by itself and must not do here: it follows redirects by GET and calls that success, it takes a proxy
of the environment for addresses on this machine, and at DEBUG its loggers print tokens.
"""

from __future__ import annotations

import logging
import os
import re
from functools import cache
from typing import TYPE_CHECKING

from coliseum.alert_settings import AlertService
from coliseum.alerts.texts import WrittenMessage

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset

TALKATIVE = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "charset_normalizer")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_STATUS = re.compile(r"error=([0-9]{3})\b", re.ASCII)


class AlertSender:
    """One per process. Thread-safe: each address has an instance of its own, which no two threads use at once."""

    def __init__(self) -> None:
        self._instances: dict[AlertService, Apprise | None] = {}

    def send(self, service: AlertService, message: WrittenMessage, *, seconds: float) -> str | None:
        """Send, and wait for the answer at most so long. None is success; else what went wrong, without any secret.

        Never raises: a problem with one service must not end a run.
        """
        try:
            instance = self._instance(service)
            if instance is None:
                return "Apprise does not accept the address"
            from apprise import NotifyFormat
            from apprise.result import AppriseResultStatus

            result = instance.notify(
                title=message.title, body=message.body, body_format=NotifyFormat.TEXT, timeout=max(1.0, seconds)
            )
            if result.status == AppriseResultStatus.SUCCESS:
                return None
            return f"{result.status.name}{_http_status(result)}"
        except Exception as error:  # noqa: BLE001 - plugins raise what they like, and the text may hold the address
            return type(error).__name__

    def accepts(self, service: AlertService) -> bool:
        """Whether Apprise knows such an address. It says nothing about whether the service takes the token."""
        return self._instance(service) is not None

    def _instance(self, service: AlertService) -> Apprise | None:
        if service not in self._instances:
            from apprise import Apprise

            instance = Apprise(asset=apprise_asset())
            # `add` is true for some wrong addresses, such as tokens of another length; what counts is a plugin.
            self._instances[service] = instance if instance.add(service.url) and len(instance) == 1 else None
        return self._instances[service]


@cache
def apprise_asset() -> AppriseAsset:
    """Apprise's settings, and the switches that it has only for the whole process."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    for variable in ("NO_PROXY", "no_proxy"):
        names = [name for name in os.environ.get(variable, "").split(",") if name]
        os.environ[variable] = ",".join(dict.fromkeys([*names, *LOOPBACK]))
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="Coliseum", app_desc="Coliseum alerts", app_url="", http_redirects=False, secure_logging=True
    )


def _http_status(result: object) -> str:
    """The HTTP status in what the SDK logged. Only the digits are taken: the rest may hold an address."""
    try:
        texts = " ".join(str(entry) for entry in result.logs())  # type: ignore[attr-defined]  # not in its types
    except (AttributeError, TypeError):
        return ""
    match = _STATUS.search(texts[:20_000])
    return f", HTTP {match[1]}" if match else ""
