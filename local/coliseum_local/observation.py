"""The state of the running stack, read over its own interfaces. A part that does not answer is None.

The bot may be any program, so it is read with the same client as in the cloud, which limits and checks its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotStatus
from coliseum.errors import SourceError
from coliseum.identity import exchange_at
from coliseum.trading.modes import mode_warning
from coliseum.trading.trades import Trade
from coliseum_local.services import GATEWAY, REDIS
from coliseum_local.supervisor import Supervisor

Reply = TypeVar("Reply")
TRADES_SHOWN = 8
ASK_SECONDS = 2.0
FIRST_ASK_SECONDS = 30.0
"""The functions' first answer: each is loaded for it."""


@dataclass(frozen=True)
class Observation:
    """One look at the stack."""

    bot_alive: bool = False
    bot: BotStatus | None = None
    """The bot's own `/status`."""
    bot_problem: str | None = None
    """Why the bot's status or trades are not known."""
    mode: str | None = None
    """Paper or live, as the bot last reported it."""
    mode_age_seconds: float | None = None
    """Since the bot last reported it."""
    mode_warning: str | None = None
    """Why the mode does not fit the exchange."""
    trades: tuple[Trade, ...] = ()
    """Newest first."""
    gateway: dict[str, Any] | None = None
    """`/_local/status`: functions, streams, schedules."""
    commands: int | None = None
    """Redis commands since the embedded Redis started, as Upstash bills them."""
    health: dict[str, Any] | None = None

    @property
    def streams_open(self) -> int | None:
        return None if self.gateway is None else sum(stream["open"] for stream in self.gateway["streams"])

    @property
    def schedules(self) -> list[dict[str, Any]]:
        return [] if self.gateway is None else list(self.gateway["schedules"])


class Observer:
    """Asks the services of a supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._client = httpx.Client(timeout=ASK_SECONDS, trust_env=False)
        self._bot = Bot(
            status_url=supervisor.variables.get("BOT_STATUS_ENDPOINT") or "http://localhost:9000/status",
            trades_url=supervisor.variables.get("BOT_TRADES_ENDPOINT") or "http://localhost:9000/trades",
        )
        self._bot_problem: str | None = None
        self._mode: str | None = None
        self._mode_at = datetime.now(UTC)
        self._mode_warning: str | None = None

    def close(self) -> None:
        self._client.close()
        self._bot.close()

    def look(self, *, health: bool = False) -> Observation:
        """`health` asks the functions too, which costs Redis commands."""
        self._bot_problem = None
        bot, trades = self._ask_bot(self._bot.status), self._ask_bot(self._bot.trades)
        gateway = self._supervisor.url(GATEWAY)
        meter = self._meter()
        answer = self._ask(f"{gateway}/api/python/health", seconds=FIRST_ASK_SECONDS) if health else None
        self._learn_mode(bot, answer or {})
        return Observation(
            bot_alive=bot is not None,
            bot=bot,
            bot_problem=self._bot_problem,
            mode=self._mode,
            mode_age_seconds=None if self._mode is None else (datetime.now(UTC) - self._mode_at).total_seconds(),
            mode_warning=self._warning(),
            trades=() if trades is None else trades.trades[: -TRADES_SHOWN - 1 : -1],
            gateway=self._ask(f"{gateway}/_local/status"),
            commands=None if meter is None else meter.get("total"),
            health=answer,
        )

    def _ask_bot(self, ask: Callable[[], Reply]) -> Reply | None:
        try:
            return ask()
        except SourceError as error:
            self._bot_problem = self._bot_problem or str(error)
            return None

    def _learn_mode(self, bot: BotStatus | None, health: dict[str, Any]) -> None:
        """What the bot reports now, otherwise what the system stored, otherwise what an earlier look returned."""
        if bot is not None and bot.mode is not None:
            self._mode, self._mode_at = bot.mode, datetime.now(UTC)
        elif health.get("bot_mode") and health.get("bot_mode_as_of"):
            self._mode, self._mode_at = str(health["bot_mode"]), datetime.fromisoformat(health["bot_mode_as_of"])
        if health:
            self._mode_warning = health.get("bot_mode_warning")

    def _warning(self) -> str | None:
        """By the mode alone, otherwise what the system said last: only the poller sees the account's fills."""
        base = self._supervisor.variables.get("KALSHI_API_BASE")
        exchange = exchange_at(base).name if base else None
        return mode_warning(self._mode, exchange=exchange) or self._mode_warning

    def _meter(self) -> dict[str, Any] | None:
        redis = next(standing for standing in self._supervisor.standings() if standing.service is REDIS)
        if redis.keeper is None or redis.url is None:
            return None
        answer = self._ask(f"{redis.url}/_meter", token=redis.keeper.ready["token"])
        return answer if isinstance(answer, dict) else None

    def _ask(self, url: str, *, token: str | None = None, seconds: float = ASK_SECONDS) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            answer = self._client.get(url, headers=headers, timeout=seconds)
            return answer.json() if answer.status_code in {200, 503} else None
        except (httpx.HTTPError, ValueError):
            return None
