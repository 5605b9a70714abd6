"""The rules' conditions: from what was seen to what holds. Pure.

A rule that cannot be judged now gives no finding, and its alerts stay as they are. While no poller reports, nothing is
said about the bot: what is known of it is old.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from coliseum.alert_settings import AlertLimits
from coliseum.alerts.facts import EquityAt, ExchangeFacts, LogFacts, ModelAnswers, OpenPosition, StoredFacts
from coliseum.alerts.rules import RuleName
from coliseum.alerts.states import RuleFinding
from coliseum.feed.timestamps import rfc3339
from coliseum.trading.money import ZERO

LEAST_LOSS = Decimal(10)
"""Dollars. A smaller loss of a day raises nothing, whatever its share."""
FRESH_EQUITY_SECONDS = 900.0
_CLEAR_SHARE = Decimal("0.8")
"""A loss or drawdown is over below this share of its limit."""
ONLY = "all"
"""The subject of rules that have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look. `log` is None where Redis did not answer."""

    now: float
    stored: StoredFacts
    log: LogFacts | None
    exchange: ExchangeFacts


def findings(seen: Seen, limits: AlertLimits) -> dict[RuleName, RuleFinding]:
    """What holds now, of the rules that can be judged."""
    found = [*_about_bot(seen, limits), *_about_books(seen), *_about_exchange(seen)]
    found += [*_about_money(seen, limits), *_about_exposure(seen, limits), *_about_models(seen, limits)]
    return {each.rule: each for each in found}


def losses_to_explain(seen: Seen, limits: AlertLimits) -> bool:
    """Whether a loss would be raised or kept, so that deposits and withdrawals must be known."""
    money = list(_about_money(seen, limits))
    return any(finding.holding or finding.between for finding in money)


def _about_bot(seen: Seen, limits: AlertLimits) -> Iterator[RuleFinding]:
    if seen.log is None:
        return
    heartbeat, bot = seen.log.heartbeat, seen.log.bot
    silent = heartbeat is None or 1000 * seen.now > heartbeat.at + max(heartbeat.fresh_for, 60_000)
    text = "No poller reports: the bot's trades are not read, and what is known of the bot is old."
    yield _one(RuleName.NO_POLLER, silent, text)
    if silent or bot is None:
        return
    offline = bot.get("status") == "offline"
    yield _one(RuleName.BOT_OFFLINE, offline, f"The bot has not answered since {bot.get('since')}.")
    last = seen.stored.last_trade_at
    if not offline and last is not None and limits.bot_idle_hours is not None:
        idle = seen.now - last >= 3600 * limits.bot_idle_hours
        yield _one(RuleName.BOT_IDLE, idle, f"The bot is online and has not traded since {_time(last)}.")


def _about_books(seen: Seen) -> Iterator[RuleFinding]:
    """Books against the exchange, and the bot's trades against the fills. The latter needs books that are current."""
    ours, theirs, deep = seen.stored.positions, seen.exchange.positions, seen.stored.deep
    if ours is None or theirs is None:
        return
    held = {position.ticker: position.contracts for position in ours}
    differ = sorted(t for t in held.keys() | theirs.keys() if held.get(t, ZERO) != theirs.get(t, ZERO))
    named = ", ".join(differ[:5]) + (f" and {len(differ) - 5} more" if len(differ) > 5 else "")
    text = f"The books and the exchange have different positions in {named}. GET /portfolio/reconciliation says more."
    yield _one(RuleName.BOOKS_DIFFER, bool(differ), text)
    if differ or deep is None or not deep.fills.matched:
        return
    counts = deep.fills
    parts = [f"{counts.unconfirmed} trades of the bot have no fill"] if counts.unconfirmed else []
    parts += [f"{counts.unreported} fills have no trade of the bot"] if counts.unreported else []
    yield _one(RuleName.FILLS_DIFFER, bool(parts), f"In the last day {' and '.join(parts)}.")


def _about_exchange(seen: Seen) -> Iterator[RuleFinding]:
    if seen.exchange.trading is not None:
        yield _one(RuleName.EXCHANGE_PAUSED, not seen.exchange.trading, "Trading on the exchange is paused.")
    if seen.exchange.key_refused is not None:
        text = "The exchange refuses the API key, so balance, positions and fills cannot be read."
        yield _one(RuleName.KEY_REFUSED, seen.exchange.key_refused, text)


def _equity(seen: Seen) -> Decimal | None:
    """The exchange's answer of this look, else a snapshot that is not old."""
    if seen.exchange.equity is not None:
        return seen.exchange.equity
    stored = seen.stored.equity
    return None if stored is None or seen.now - stored.at > FRESH_EQUITY_SECONDS else stored.equity


def _about_money(seen: Seen, limits: AlertLimits) -> Iterator[RuleFinding]:
    equity, first, deep = _equity(seen), seen.stored.day_first, seen.stored.deep
    if equity is None:
        return
    if first is not None and limits.day_loss_percent is not None:
        loss = _lost(seen, first, equity)
        share = 100 * loss / first.equity if first.equity > 0 else ZERO
        text = f"The account lost ${loss:.2f} today ({share:.1f} % of ${first.equity:.2f}); equity is ${equity:.2f}."
        limit = Decimal(str(limits.day_loss_percent))
        yield _graded(RuleName.DAY_LOSS, share if loss >= LEAST_LOSS else ZERO, limit, text)
    if deep is not None and deep.peak is not None and limits.drawdown_percent is not None:
        loss = _lost(seen, deep.peak, equity)
        share = 100 * loss / deep.peak.equity if deep.peak.equity > 0 else ZERO
        text = f"Equity is ${equity:.2f}, {share:.1f} % below ${deep.peak.equity:.2f}, its peak of 30 days."
        limit = Decimal(str(limits.drawdown_percent))
        yield _graded(RuleName.DRAWDOWN, share if loss >= LEAST_LOSS else ZERO, limit, text)


def _lost(seen: Seen, before: EquityAt, equity: Decimal) -> Decimal:
    """Dollars lost since then. What was deposited or withdrawn meanwhile is neither gain nor loss."""
    moved = sum((amount for at, amount in seen.exchange.transfers if at > before.at), ZERO)
    return before.equity + moved - equity


def _about_exposure(seen: Seen, limits: AlertLimits) -> Iterator[RuleFinding]:
    equity, positions = _equity(seen), seen.stored.positions
    if equity is None or equity <= 0 or positions is None:
        return
    if limits.exposure_percent is not None:
        total = sum((position.basis for position in positions), ZERO)
        text = f"The open positions cost ${total:.2f}, {100 * total / equity:.0f} % of the equity of ${equity:.2f}."
        yield _graded(RuleName.EXPOSURE, 100 * total / equity, Decimal(str(limits.exposure_percent)), text)
    if limits.event_exposure_percent is not None:
        yield _by_event(positions, equity, Decimal(str(limits.event_exposure_percent)))


def _by_event(positions: Iterable[OpenPosition], equity: Decimal, limit: Decimal) -> RuleFinding:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for position in positions:
        sums[position.event_ticker or position.ticker.rpartition("-")[0] or position.ticker] += position.basis
    shares = {event: 100 * cost / equity for event, cost in sums.items()}
    holding = {
        subject(event): f"The positions in event {event} cost ${sums[event]:.2f}, {share:.0f} % of the equity."
        for event, share in shares.items()
        if share >= limit
    }
    between = {subject(event) for event, share in shares.items() if limit * _CLEAR_SHARE <= share < limit}
    return RuleFinding(RuleName.EVENT_EXPOSURE, holding, frozenset(between))


def _about_models(seen: Seen, limits: AlertLimits) -> Iterator[RuleFinding]:
    deep = seen.stored.deep
    if deep is None:
        return
    if limits.budget_percent is not None:
        yield _budget(deep.budget_share, deep.budget_day, Decimal(str(limits.budget_percent)))
    if deep.models:
        yield _silent(deep.models, (name for rule, name in seen.stored.states if rule is RuleName.SILENT_MODEL))


def _budget(share: Decimal | None, day: str | None, limit: Decimal) -> RuleFinding:
    """Two alerts a day at most: one at the limit, one when everything is spent. A new day ends both."""
    holding: dict[str, str] = {}
    if share is not None and 100 * share >= limit:
        holding[f"{day}.near"] = f"The models have cost {100 * share:.0f} % of the budget of {day}."
    if share is not None and share >= 1:
        holding[f"{day}.spent"] = f"The models' budget of {day} is spent: they are not asked until the next day (UTC)."
    return RuleFinding(RuleName.BUDGET, holding)


def _silent(models: Iterable[ModelAnswers], known: Iterable[str]) -> RuleFinding:
    """A model that was not asked in this round is neither silent nor well."""
    asked = {subject(model.agent_id): model for model in models if model.done or model.failed}
    holding = {
        name: f"The model {model.agent_id} answered none of the {model.failed} questions of round {model.round_id}."
        for name, model in asked.items()
        if not model.done
    }
    return RuleFinding(RuleName.SILENT_MODEL, holding, frozenset(known) - asked.keys())


def _one(rule: RuleName, holds: bool, text: str) -> RuleFinding:
    return RuleFinding(rule, {ONLY: text} if holds else {})


def _graded(rule: RuleName, value: Decimal, limit: Decimal, text: str) -> RuleFinding:
    if value >= limit:
        return RuleFinding(rule, {ONLY: text})
    return RuleFinding(rule, {}, frozenset({ONLY}) if value >= limit * _CLEAR_SHARE else frozenset())


def subject(text: str) -> str:
    """A name as it may stand in an alert's id and in a path."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text)[:80] or "-"


def _time(seconds: float) -> str:
    return rfc3339(int(seconds * 1000))
