"""What anyone may read of the arena, page by page.

All of it comes from the `public_arena_…` views, which hold back what is secret until a round is closed: a mistake
here cannot tell a forecast too early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from coliseum.arena.records.rows import ASKED_MARKET_COLUMNS, SCORED_FORECAST_COLUMNS
from coliseum.errors import InvalidInput
from coliseum.store.client import Condition, Operator, Store

Row = dict[str, Any]
Position = Mapping[str, Any]
"""The key of a row: where a page ends."""


@dataclass(frozen=True, slots=True)
class Table:
    """A view, its columns with numbers as exact text, and the columns that order it totally."""

    view: str
    columns: str
    key: tuple[str, ...]
    """Each ascending, or with `.desc`; together unique."""

    @property
    def key_columns(self) -> tuple[str, ...]:
        return tuple(name.partition(".")[0] for name in self.key)

    def position(self, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in self.key_columns}


AGENTS = Table(
    "public_arena_agents",
    "agent_id,kind,name,model,tracks,status,season,created_at,rule,method,other_model_forecasts",
    ("agent_id",),
)
TOTALS = Table(
    "public_arena_agent_totals",
    "agent_id,decisions,failures,attempts,cost_usd::text,cost_unknown,input_tokens,output_tokens,"
    "latency_p50_ms,latency_p95_ms",
    ("agent_id",),
)
ROUNDS = Table(
    "public_arena_rounds", "round_id,slot,season,opened_at,closes_at,status,exchange,markets", ("slot.desc",)
)
ROUND_DECISIONS = Table("public_arena_round_decisions", "round_id,decisions", ("round_id",))
MARKETS = Table(
    "public_arena_markets",
    "market_id,round_id,ticker,event_ticker,series_ticker,category,title,close_time,yes_bid::text,yes_ask::text,"
    "q::text,volume_24h::text,snapshot_at,context_hash,exchange,closes_at,opened,result,value::text",
    ("market_id",),
)
FROZEN = Table(MARKETS.view, f"{MARKETS.columns},context,book", MARKETS.key)
MARKET_ROWS = Table(MARKETS.view, f"{FROZEN.columns},season,outcomes,mutually_exclusive", MARKETS.key)
ASKED_MARKETS = Table(MARKETS.view, f"market_id,{ASKED_MARKET_COLUMNS}", MARKETS.key)
FORECASTS = Table(
    "public_arena_forecasts",
    "forecast_id,seal,round_id,ticker,agent_id,track,created_at,opened,p::text,low::text,high::text,abstain,"
    "served_model",
    ("forecast_id.desc",),
)
SEALED = Table(FORECASTS.view, f"{FORECASTS.columns},payload", FORECASTS.key)
FORECAST_ROWS = Table(FORECASTS.view, f"{SEALED.columns},season,closes_at", FORECASTS.key)
SCORED_FORECASTS = Table(FORECASTS.view, f"forecast_id,{SCORED_FORECAST_COLUMNS}", ("forecast_id",))
SEALS = Table(FORECASTS.view, "seal,forecast_id,created_at", ("seal",))
SEAL_ROOTS = Table("public_arena_seal_roots", "day,root,leaves,created_at", ("day",))
DECISIONS = Table(
    "public_arena_decisions",
    "decision_id,round_id,ticker,agent_id,track,status,attempt,opened,reason,created_at,finished_at,season,closes_at",
    ("decision_id.desc",),
)
ATTEMPTS = Table(
    "public_arena_attempts",
    "decision_id,attempt,started_at,latency_ms,model_requested,model_served,host,output_mode,context_hash,prompt,"
    "raw_reply,repairs,input_tokens,output_tokens,cost_usd::text,cost_source,error_class,recorded_at,season,track,closes_at",
    ("decision_id", "attempt"),
)
RESULTS = Table(
    "public_arena_results",
    "ticker,version,status,result,value::text,decided_at,recorded_at",
    ("ticker", "version"),
)
SEASON_RESULTS = Table("public_arena_season_results", RESULTS.columns, RESULTS.key)
BOT_TRADES = Table("public_trades", "event_id,executed_at", ("executed_at.desc", "event_id.desc"))
ACCOUNTS = Table(
    "public_arena_accounts",
    "account_id,season,agent_id,track,policy,deposit::text,marked_at,cash::text,equity::text,realized::text,"
    "fees::text,entries",
    ("account_id",),
)
LEDGER = Table(
    "public_arena_ledger",
    "account_id,seq,key,kind,ticker,side,contracts::text,price::text,cash::text,realized::text,round_id,at",
    ("account_id", "seq"),
)
MARKS = Table("public_arena_marks", "account_id,at,cash::text,equity::text", ("account_id", "at"))
HOURS = Table("public_arena_hours", MARKS.columns, MARKS.key)
ACCOUNT_COSTS = Table("public_arena_account_costs", "account_id,cost_usd::text", ("account_id",))
PAPER_DECISIONS = Table(
    "public_arena_paper_decisions",
    "decision_id,account_id,round_id,ticker,track,action,reason,side,contracts::text,average_price::text,fee::text,at",
    ("at.desc", "decision_id.desc", "account_id"),
)
ORDERS = Table(
    "public_arena_orders",
    "account_id,agent_id,policy,decision_id,ticker,side,contracts::text,cost::text,fee::text,q::text,yes_bid::text,"
    "yes_ask::text,p::text,value::text",
    ("account_id", "decision_id"),
)
STANDINGS = Table(
    "public_arena_standings",
    "as_of,known_at,digest,agent_id,rank,tier,listed,separated,skill,skill_low,skill_high,events,log10_evidence,"
    "skill_sequence_low,skill_sequence_high,skill_sequence_clusters",
    ("known_at", "digest", "agent_id"),
)
REPORTS = Table(
    "public_arena_reports",
    "digest,season,track,as_of,known_at,engine_version,rules_version,input_hash,report,created_at",
    ("created_at", "digest"),
)

CLAIMS = Table(
    "public_arena_claims",
    "number,claim_id,claim,seal,agent_id,season,track,registered_at,previous,chain,verdict,final,reason,numbers,digest,"
    "looked_at,registered",
    ("number.desc",),
)

SOURCE_FEEDS = Table(
    "public_arena_source_feeds",
    "feed_id,url,name,origin,series,status,problem,items,dropped,checked_at,read_at",
    ("name", "feed_id"),
)


class PublicRecords:
    """Reads of the views. The store is opened by the first of them."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store

    def page(
        self, table: Table, *, where: Sequence[Condition] = (), after: Position | None = None, limit: int
    ) -> list[Row]:
        """At most `limit` rows in the table's order, behind the row with the key `after`."""
        rows: list[Row] = []
        for behind in [()] if after is None else _behind(table, after):
            rows += self._store().select(
                table.view, table.columns, where=[*where, *behind], order=table.key, limit=limit - len(rows)
            )
            if len(rows) == limit:
                break
        return rows

    def every(self, table: Table, where: Sequence[Condition] = ()) -> list[Row]:
        """All rows that match."""
        return self._store().select(table.view, table.columns, where=where, order=table.key)

    def among(self, table: Table, column: str, values: Sequence[str]) -> dict[str, Row]:
        """Rows by `column`, which must be unique in the table, for those of `values` that are there."""
        if not values:
            return {}
        rows = self._store().select(table.view, table.columns, where=[(column, "in", sorted(set(values)))])
        return {row[column]: row for row in rows}

    def one(self, table: Table, where: Sequence[Condition], *, newest: Sequence[str] = ()) -> Row | None:
        """The first row that matches, in the table's order or the one given; None where none does."""
        rows = self._store().select(table.view, table.columns, where=where, order=newest or table.key, limit=1)
        return rows[0] if rows else None

    def day_seals(self, day: date) -> list[str]:
        """Every seal of a UTC day, sorted."""
        seals: list[str] = self._store().rpc("arena_day_seals", {"p_day": day.isoformat()})
        return seals


def _behind(table: Table, after: Position) -> list[list[Condition]]:
    """Sets of conditions that, one after the other, give the rows behind `after` in the table's order."""
    if not all(isinstance(after.get(name), str | int) for name in table.key_columns):
        raise InvalidInput("cursor", dict(after), "`next_cursor` of the page before")
    found: list[list[Condition]] = []
    for length in range(len(table.key), 0, -1):
        *same, last = table.key[:length]
        column, _, direction = last.partition(".")
        beyond: Operator = "lt" if direction == "desc" else "gt"
        equal: list[Condition] = [(name.partition(".")[0], "eq", after[name.partition(".")[0]]) for name in same]
        found.append([*equal, (column, beyond, after[column])])
    return found
