"""Reads and writes of the rounds' tables: rounds, their frozen markets, and the money set aside for their models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.calendar import RoundSlot
from coliseum.arena.records.batches import StoreRecords
from coliseum.arena.records.rows import (
    ASKED_MARKET_COLUMNS,
    ROUND_COLUMNS,
    ROUND_MARKET_COLUMNS,
    AskedMarket,
    Round,
    RoundMarket,
    asked_market_from,
    round_from,
    round_market_from,
)
from coliseum.errors import NotFound
from coliseum.store.client import Condition
from coliseum.trading.money import decimal_text

ROUNDS_PER_REQUEST = 60
"""Ids of rounds are short, so more of them fit into a URL than of other ids."""


class RoundRecords(StoreRecords):
    """Rounds and their markets."""

    def open_round(
        self,
        slot: RoundSlot,
        *,
        opened_at: datetime,
        closes_at: datetime,
        exchange: str,
        markets: Sequence[Mapping[str, Any]],
        decisions: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Store a round with its markets and decisions in one transaction. False where the slot has a round already."""
        answer = self._store.rpc(
            "arena_open_round",
            {
                "p": {
                    "round": {
                        "round_id": slot.round_id,
                        "slot": slot.starts_at.isoformat(),
                        "season": slot.season,
                        "opened_at": opened_at.isoformat(),
                        "closes_at": closes_at.isoformat(),
                        "status": "open",
                        "exchange": exchange,
                        "seed": slot.seed,
                        "markets": len(markets),
                    },
                    "markets": list(markets),
                    "decisions": list(decisions),
                }
            },
        )
        return bool(answer["opened"])

    def find_round(self, round_id: str) -> Round | None:
        """None for an unknown round."""
        rows = self._store.select("arena_rounds", ROUND_COLUMNS, where=[("round_id", "eq", round_id)], limit=1)
        return round_from(rows[0]) if rows else None

    def round(self, round_id: str) -> Round:
        """Raises NotFound for an unknown round."""
        found = self.find_round(round_id)
        if found is None:
            raise NotFound("round", round_id)
        return found

    def fund_round(self, round_id: str, *, each: Mapping[str, Decimal], cap: Decimal) -> frozenset[str] | None:
        """Set a round's money aside, once. Returns the agents whose whole round is paid for, None for a repetition.

        `each` is the most that one decision of an agent may cost, in dollars. The cheapest agents come first. Where
        the day's `cap` does not cover an agent's round, all its decisions are skipped.
        """
        amounts = {agent_id: decimal_text(amount, places=6) for agent_id, amount in each.items()}
        args = {"p_round": round_id, "p_each": amounts, "p_cap": decimal_text(cap, places=6)}
        funded = self._store.rpc("arena_fund_round", args)
        return None if funded is None else frozenset(funded)

    def close_round(self, round_id: str) -> bool:
        """Close a round whose time is over; unanswered decisions fail. False where it is not over or closed already."""
        return bool(self._store.rpc("arena_close_round", {"p_round": round_id}))

    def rounds(
        self,
        *,
        season: str | None = None,
        status: str | None = None,
        before: datetime | None = None,
        limit: int | None = 50,
    ) -> tuple[Round, ...]:
        """Newest first."""
        where: list[Condition] = [] if season is None else [("season", "eq", season)]
        if status is not None:
            where.append(("status", "eq", status))
        if before is not None:
            where.append(("slot", "lt", before.isoformat()))
        rows = self._store.select("arena_rounds", ROUND_COLUMNS, where=where, order=("slot.desc",), limit=limit)
        return tuple(round_from(row) for row in rows)

    def round_market(self, round_id: str, ticker: str) -> RoundMarket:
        """Raises NotFound where the round does not ask about this market."""
        rows = self._store.select(
            "arena_round_markets",
            ROUND_MARKET_COLUMNS,
            where=[("round_id", "eq", round_id), ("ticker", "eq", ticker)],
            limit=1,
        )
        if not rows:
            raise NotFound("round market", f"{round_id}/{ticker}")
        return round_market_from(rows[0])

    def asked_markets(self, round_ids: Iterable[str]) -> tuple[AskedMarket, ...]:
        """All markets of these rounds, without what contestants were shown of them."""
        rows = self._select_by_ids(
            "arena_asked_markets",
            ASKED_MARKET_COLUMNS,
            column="round_id",
            ids=round_ids,
            order=("round_id", "ticker"),
            batch_size=ROUNDS_PER_REQUEST,
        )
        return tuple(asked_market_from(row) for row in rows)
