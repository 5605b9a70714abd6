"""Paper or live: where orders go, and which confirmations that needs.

Paper is everything that cannot cost real money: the sandbox on this machine, and Kalshi's demo. An exchange that is not
on this machine needs COLISEUM_BOT_LIVE=I_UNDERSTAND, and so does `--live`. Kalshi's production needs both.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from coliseum.errors import ConfigurationError

VARIABLE = "COLISEUM_BOT_LIVE"
CONFIRMATION = "I_UNDERSTAND"


@dataclass(frozen=True, slots=True)
class Mode:
    """Where the bot trades. `name` is in every answer of the bot."""

    name: Literal["paper", "live"]
    target: Literal["sandbox", "demo", "production"]
    host: str
    confirmed: bool

    @property
    def announcement(self) -> str:
        """One line for the log."""
        confirmation = f" ({VARIABLE}={CONFIRMATION})" if self.confirmed else ""
        return f"mode {self.name.upper()}: orders go to {self.host} ({self.target}){confirmation}"


def decide(*, exchange: str, live: bool, confirmation: str | None) -> Mode:
    """The mode for an exchange's URL. Raises ConfigurationError that names the missing confirmation."""
    host = urlsplit(exchange).hostname or ""
    target = _target(host)
    if live or target != "sandbox":
        if confirmation != CONFIRMATION:
            reason = "--live" if live else f"the exchange {host} is not on this machine"
            raise ConfigurationError(VARIABLE, f"{reason}: set it to {CONFIRMATION} to let orders go to {host}")
        if target == "production" and not live:
            raise ConfigurationError("--live", f"{host} trades real money; without --live the bot does not go there")
    return Mode("live" if live else "paper", target, host, confirmed=live or target != "sandbox")


def _target(host: str) -> Literal["sandbox", "demo", "production"]:
    if host == "localhost" or _is_loopback(host):
        return "sandbox"
    return "demo" if host.endswith((".demo.kalshi.co", "demo-api.kalshi.co")) else "production"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
