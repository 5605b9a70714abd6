"""`coliseum check-bot URL`: asks a bot as the poller does, and says what is wrong and what would be right.

It needs no settings. The exit code is 1 where something is lost or wrong, else 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from coliseum.bot.client import TIMEOUT_SECONDS, Bot
from coliseum.bot.findings import (
    Finding,
    Severity,
    health_findings,
    run_findings,
    stability_findings,
    status_findings,
    trades_findings,
)
from coliseum.bot.parse import health_from
from coliseum.errors import SourceError, SourceMalformed

ROWS_SHOWN = 20
"""Findings that are printed for one severity; the rest is counted."""
_ENDPOINTS = ("health", "status", "trades")


def check_bot(
    url: str,
    *,
    show: Callable[[str], None] = print,
    clock: Callable[[], float] = time.time,
    seconds: float = TIMEOUT_SECONDS,
) -> int:
    """Check the bot at `url`, its base address or that of one of its three endpoints. Returns the exit code.

    Each request may take `seconds`.
    """
    base = _base(url)
    if base is None:
        show(f"error    {url!r} is no address; right is http://<host>:<port>, such as http://localhost:9000")
        return 1
    bot = Bot(status_url=f"{base}/status", trades_url=f"{base}/trades", timeout_seconds=seconds)
    try:
        findings = look(bot, clock)
    finally:
        bot.close()
    _print(findings, show)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in findings)
    show(
        f"{base}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}"
        if errors or warnings
        else f"{base}: all is right"
    )
    if not errors:
        show(f"Settings: BOT_STATUS_ENDPOINT={base}/status BOT_TRADES_ENDPOINT={base}/trades")
    return 1 if errors else 0


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _base(url: str) -> str | None:
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname or (parts.port or 1) < 1:
            return None
    except ValueError:
        return None
    folder, _, last = parts.path.rstrip("/").rpartition("/")
    path = folder if last in _ENDPOINTS else parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def look(bot: Bot, clock: Callable[[], float] = time.time) -> list[Finding]:
    """Health, list, health and list again, as two polls do, and the status once."""
    findings: list[Finding] = []
    health = _ask(bot, "health", findings)
    trades = _ask(bot, "trades", findings)
    status = _ask(bot, "status", findings)
    if health is not None:
        findings += health_findings(health)
        again = _ask(bot, "health", findings)
        findings += [] if again is None else run_findings(health, again)
    if status is not None:
        findings += status_findings(status)
    if trades is not None:
        findings += trades_findings(trades, now=clock(), trade_count=_count(health))
        again = _ask(bot, "trades", findings)
        findings += [] if again is None else stability_findings(trades, again)
    return findings


def _ask(bot: Bot, endpoint: str, findings: list[Finding]) -> bytes | None:
    """The answer; None after a finding that says why there is none."""
    try:
        if endpoint == "health":
            return bot.body("health")
        return bot.body("status") if endpoint == "status" else bot.body("trades")
    except SourceError as error:
        problem = error.problem.removeprefix(f"/{endpoint}: ").removeprefix(f"/{endpoint} ")
        # Without health and status the poller goes on with less; without the list it has nothing.
        severity = Severity.ERROR if endpoint == "trades" or error.status is None else Severity.WARNING
        right = f"right is status 200 and uncompressed JSON within {TIMEOUT_SECONDS:g} s"
        findings.append(Finding(severity, f"/{endpoint}", f"{problem}; {right}"))
        return None


def _count(health: bytes | None) -> int | None:
    if health is None:
        return None
    try:
        return health_from(health).trade_count
    except SourceMalformed:
        return None


def _print(findings: list[Finding], show: Callable[[str], None]) -> None:
    for severity in Severity:
        of_it = [finding for finding in findings if finding.severity is severity]
        for finding in of_it[:ROWS_SHOWN]:
            show(f"{severity.value:8} {finding.place}: {finding.text}")
        if len(of_it) > ROWS_SHOWN:
            show(f"{severity.value:8} ... and {len(of_it) - ROWS_SHOWN} more")
