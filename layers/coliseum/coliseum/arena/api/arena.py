"""Reads contestants, rounds, forecasts and their proofs for the API.

The views of the database leave out what is still secret, so nothing here filters for secrecy.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from coliseum.arena import forecasts
from coliseum.arena.api.accounts.answers import AccountData
from coliseum.arena.api.answers import (
    AgentAnswer,
    AgentData,
    AgentsAnswer,
    ForecastAnswer,
    ForecastData,
    ForecastsAnswer,
    FrozenMarketAnswer,
    MarkedAttemptData,
    MarketData,
    MarketsAnswer,
    ProofAnswer,
    ProofStep,
    RootData,
    RoundAnswer,
    RoundData,
    RoundsAnswer,
    SealsAnswer,
    SourceFeedData,
    SourceFeedsAnswer,
    TotalsData,
)
from coliseum.arena.api.leaderboards.leaderboards import LeaderboardQueries
from coliseum.arena.api.public.queries import SOURCE, PageRequest, PublicQueries, RowPage
from coliseum.arena.records import public as records
from coliseum.errors import SourceMalformed
from coliseum.http.field_types import utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.store.client import Condition

RECIPE = (
    "seal = sha256 of the payload as JSON with sorted keys, no white space, ASCII only",
    "node = sha256(0x00 || the seal's 32 bytes)",
    "for each step: node = sha256(0x01 || sibling || node) where side is left, sha256(0x01 || node || sibling) else",
    "node in hex is the root; GET /api/python/arena/seals/{day} lists all leaves, from which the root follows too",
)


class ArenaQueries:
    """Contestants, rounds, forecasts and their proofs."""

    def __init__(self, queries: PublicQueries, leaderboards: LeaderboardQueries) -> None:
        self._queries = queries
        self._leaderboards = leaderboards

    # -- contestants

    def agents(self, *, status: str | None, paging: PageRequest) -> AgentsAnswer:
        page = self._queries.page("agents", records.AGENTS, {"status": status}, paging)
        return AgentsAnswer(**self._queries.listing(AgentData, page))

    def source_feeds(self, *, status: str | None, paging: PageRequest) -> SourceFeedsAnswer:
        page = self._queries.page("sources", records.SOURCE_FEEDS, {"status": status}, paging)
        return SourceFeedsAnswer(**self._queries.listing(SourceFeedData, page))

    def agent(self, agent_id: str) -> AgentAnswer:
        where: list[Condition] = [("agent_id", "eq", agent_id)]
        row = self._queries.one("agent", agent_id, records.AGENTS, where)
        totals = self._queries.rows.one(records.TOTALS, where)
        accounts = self._queries.rows.every(records.ACCOUNTS, [*where, ("season", "eq", row["season"])])
        return AgentAnswer(
            **self._queries.source_fields(),
            **row,
            totals=TotalsData(**(totals or {})),
            boards=self._leaderboards.of_agent(agent_id, season=row["season"], tracks=row["tracks"]),
            accounts=[AccountData(**account) for account in accounts],
        )

    # -- rounds and their markets

    def rounds(self, *, season: str | None, status: str | None, paging: PageRequest) -> RoundsAnswer:
        page = self._queries.page("rounds", records.ROUNDS, {"season": season, "status": status}, paging)
        counts = self._queries.rows.among(records.ROUND_DECISIONS, "round_id", [row["round_id"] for row in page.rows])
        rows = [{"decisions": {}, **row, **counts.get(row["round_id"], {})} for row in page.rows]
        return RoundsAnswer(**self._queries.listing(RoundData, RowPage(rows, page.next_cursor)))

    def round(self, round_id: str) -> RoundAnswer:
        where: list[Condition] = [("round_id", "eq", round_id)]
        row = self._queries.one("round", round_id, records.ROUNDS, where)
        counts = self._queries.rows.one(records.ROUND_DECISIONS, where) or {"decisions": {}}
        asked = [MarketData(**market) for market in self._queries.rows.every(records.MARKETS, where)]
        return RoundAnswer(**self._queries.source_fields(), **{**row, **counts}, asked=asked)

    def markets(self, *, category: str | None, paging: PageRequest) -> MarketsAnswer:
        page = self._queries.page("markets", records.MARKETS, {"category": category, "opened": False}, paging)
        return MarketsAnswer(**self._queries.listing(MarketData, page))

    def frozen_market(self, round_id: str, ticker: str) -> FrozenMarketAnswer:
        where: list[Condition] = [("round_id", "eq", round_id), ("ticker", "eq", ticker)]
        row = self._queries.one("market of a round", f"{round_id}/{ticker}", records.FROZEN, where)
        return FrozenMarketAnswer(**self._queries.source_fields(), **row)

    # -- forecasts and their proofs

    def forecasts(self, filters: Mapping[str, str | None], paging: PageRequest) -> ForecastsAnswer:
        """`filters` by column: agent_id, ticker, round_id, track."""
        page = self._queries.page("forecasts", records.FORECASTS, filters, paging)
        return ForecastsAnswer(**self._queries.listing(ForecastData, page))

    def forecast(self, column: str, name: str) -> ForecastAnswer:
        """The forecast whose `column` (`forecast_id` or `seal`) is `name`. Raises NotFound if there is none."""
        row = self._queries.one("forecast", name, records.SEALED, [(column, "eq", name)])
        where: list[Condition] = [("decision_id", "eq", row["forecast_id"])]
        market = self._queries.rows.one(
            records.MARKETS, [("round_id", "eq", row["round_id"]), ("ticker", "eq", row["ticker"])]
        )
        return ForecastAnswer(
            **self._queries.source_fields(),
            **row,
            attempts=[MarkedAttemptData(**attempt) for attempt in self._queries.rows.every(records.ATTEMPTS, where)],
            result=None if market is None else market["result"],
        )

    def proof(self, column: str, name: str) -> ProofAnswer:
        """The Merkle path from a forecast's seal to the root of its day. Raises NotFound for an unknown forecast."""
        row = self._queries.one("forecast", name, records.SEALED, [(column, "eq", name)])
        day = utc_from(datetime.fromisoformat(row["created_at"]).timestamp()).date()
        seals = self._queries.rows.day_seals(day)
        proof = forecasts.prove(seals, row["seal"])
        root = self._root(day, seals)
        return ProofAnswer(
            **self._queries.source_fields(),
            forecast_id=row["forecast_id"],
            seal=row["seal"],
            root=root,
            steps=[ProofStep(side="left" if left else "right", sibling=sibling) for left, sibling in proof.steps],
            verified=forecasts.verify(proof) and proof.root == root.root,
            payload=row["payload"],
            recipe=list(RECIPE),
        )

    def seals(self, day: date, paging: PageRequest) -> SealsAnswer:
        """A page of the leaves of a day's tree, in order, and the tree's root."""
        seals = self._queries.rows.day_seals(day)
        scope = {"day": day.isoformat()}
        after = "" if paging.cursor is None else str(decode_cursor("seals", scope, paging.cursor).get("seal"))
        # By value and not by position: seals of the present day may be added between two pages.
        rest = seals[bisect_right(seals, after) :]
        page = rest[: paging.limit]
        return SealsAnswer(
            items=page,
            count=len(page),
            next_cursor=encode_cursor("seals", scope, {"seal": page[-1]}) if len(page) < len(rest) else None,
            root=self._root(day, seals) if seals else None,
            **self._queries.source_fields(),
        )

    def _root(self, day: date, seals: Sequence[str]) -> RootData:
        """The published root of the day, or a provisional one that is computed from the seals so far.

        Raises SourceMalformed if the seals do not give the published root.
        """
        root = forecasts.merkle_root(seals)
        published = self._queries.rows.one(records.SEAL_ROOTS, [("day", "eq", day)])
        if published is not None and published["root"] != root:
            message = f"the {len(seals)} seals of {day} give the root {root}, but {published['root']} was published"
            raise SourceMalformed(SOURCE, message, field="seal")
        return RootData(
            day=day, root=root, leaves=len(seals), status="provisional" if published is None else "published"
        )
