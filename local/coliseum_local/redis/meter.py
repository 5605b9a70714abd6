"""The billing meter: commands counted as Upstash bills them, and what a month of that would cost.

Each command is one, also inside pipelines and transactions. A script is one plus every command it calls, which
only Redis knows. A script therefore runs between two reads of the command statistics, in one transaction, so that no
other client's commands are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from coliseum_local.redis.commands import SCRIPTS, name_of
from coliseum_local.redis.resp import Command, Reply

LOOK: Command = (b"INFO", b"commandstats")
DOLLARS_PER_COMMAND = Decimal("0.20") / 100_000
FREE_COMMANDS_PER_MONTH = 500_000
MONTH_SECONDS = 30 * 24 * 3600


@dataclass
class Meter:
    """Commands since `since`."""

    since: datetime
    by_command: Counter[str] = field(default_factory=Counter)

    def add(self, names: Iterable[str]) -> None:
        self.by_command.update(names)

    def reset(self, now: datetime) -> None:
        self.since, self.by_command = now, Counter()

    def report(self, now: datetime) -> dict[str, Any]:
        """Total, per command, and the month if it went on like this."""
        seconds = max((now - self.since).total_seconds(), 0.001)
        total = self.by_command.total()
        per_month = round(total * MONTH_SECONDS / seconds)
        return {
            "since": self.since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "seconds": round(seconds, 3),
            "total": total,
            "by_command": dict(sorted(self.by_command.items())),
            "per_month": {
                "commands": per_month,
                "dollars": f"{per_month * DOLLARS_PER_COMMAND:.2f}",
                "free_tier_share": round(per_month / FREE_COMMANDS_PER_MONTH, 4),
            },
        }


def is_script(command: Command) -> bool:
    return name_of(command) in SCRIPTS


def between(before: Reply, after: Reply) -> Counter[str]:
    """Commands executed between two looks, the first look left out."""
    counts = _calls(after)
    counts.subtract(_calls(before))
    counts["INFO"] -= 1
    return +counts


def _calls(look: Reply) -> Counter[str]:
    """Calls per command from lines such as `cmdstat_xinfo|stream:calls=3,usec=…`."""
    counts: Counter[str] = Counter()
    if isinstance(look, bytes):
        for line in look.decode(errors="replace").splitlines():
            name, separator, numbers = line.removeprefix("cmdstat_").partition(":calls=")
            if separator:
                counts[name.partition("|")[0].upper()] += int(numbers.partition(",")[0])
    return counts
