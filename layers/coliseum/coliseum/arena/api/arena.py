"""What the arena shows of contestants, rounds and forecasts. The database holds back what is still secret."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from coliseum.arena import forecasts
from coliseum.arena.api.accounts.answers import (
    AccountData,
)
from coliseum.arena.api.answers import (
    AgentAnswer,
    AgentData,
    AgentsAnswer,
    AttemptData,
    ForecastAnswer,
    ForecastData,
    ForecastsAnswer,
    FrozenMarketAnswer,
    MarketData,
    MarketsAnswer,
    ProofAnswer,
    ProofStep,
    RootData,
    RoundAnswer,
    RoundData,
    RoundsAnswer,
    SealsAnswer,
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


class Arena:
    """Contestants, rounds, forecasts and their proofs."""

    def __init__(self, shelf: PublicQueries, boards: LeaderboardQueries) -> None:
        self._shelf = shelf
        self._boards = boards

    # -- who plays

    def agents(self, *, status: str | None, paging: PageRequest) -> AgentsAnswer:
        page = self._shelf.page("agents", records.AGENTS, {"status": status}, paging)
        return AgentsAnswer(**self._shelf.listed(AgentData, page))

    def agent(self, agent_id: str) -> AgentAnswer:
        mine: list[Condition] = [("agent_id", "eq", agent_id)]
        row = self._shelf.found("agent", agent_id, records.AGENTS, mine)
        totals = self._shelf.rows.one(records.TOTALS, mine)
        accounts = self._shelf.rows.every(records.ACCOUNTS, [*mine, ("season", "eq", row["season"])])
        return AgentAnswer(
            **self._shelf.stamp(),
            **row,
            totals=TotalsData(**(totals or {})),
            boards=self._boards.of_agent(agent_id, season=row["season"], tracks=row["tracks"]),
            accounts=[AccountData(**one) for one in accounts],
        )

    # -- what is asked

    def rounds(self, *, season: str | None, status: str | None, paging: PageRequest) -> RoundsAnswer:
        page = self._shelf.page("rounds", records.ROUNDS, {"season": season, "status": status}, paging)
        counts = self._shelf.rows.among(records.ROUND_DECISIONS, "round_id", [row["round_id"] for row in page.rows])
        rows = [{"decisions": {}, **row, **counts.get(row["round_id"], {})} for row in page.rows]
        return RoundsAnswer(**self._shelf.listed(RoundData, RowPage(rows, page.next_cursor)))

    def round(self, round_id: str) -> RoundAnswer:
        mine: list[Condition] = [("round_id", "eq", round_id)]
        row = self._shelf.found("round", round_id, records.ROUNDS, mine)
        counts = self._shelf.rows.one(records.ROUND_DECISIONS, mine) or {"decisions": {}}
        asked = [MarketData(**one) for one in self._shelf.rows.every(records.MARKETS, mine)]
        return RoundAnswer(**self._shelf.stamp(), **{**row, **counts}, asked=asked)

    def markets(self, *, category: str | None, paging: PageRequest) -> MarketsAnswer:
        page = self._shelf.page("markets", records.MARKETS, {"category": category, "opened": False}, paging)
        return MarketsAnswer(**self._shelf.listed(MarketData, page))

    def frozen_market(self, round_id: str, ticker: str) -> FrozenMarketAnswer:
        where: list[Condition] = [("round_id", "eq", round_id), ("ticker", "eq", ticker)]
        row = self._shelf.found("market of a round", f"{round_id}/{ticker}", records.FROZEN, where)
        return FrozenMarketAnswer(**self._shelf.stamp(), **row)

    # -- what is answered

    def forecasts(self, filters: Mapping[str, str | None], paging: PageRequest) -> ForecastsAnswer:
        """`filters` by column: agent_id, ticker, round_id, track."""
        page = self._shelf.page("forecasts", records.FORECASTS, filters, paging)
        return ForecastsAnswer(**self._shelf.listed(ForecastData, page))

    def forecast(self, column: str, name: str) -> ForecastAnswer:
        """By `forecast_id` or `seal`."""
        row = self._shelf.found("forecast", name, records.SEALED, [(column, "eq", name)])
        mine: list[Condition] = [("decision_id", "eq", row["forecast_id"])]
        market = self._shelf.rows.one(
            records.MARKETS, [("round_id", "eq", row["round_id"]), ("ticker", "eq", row["ticker"])]
        )
        return ForecastAnswer(
            **self._shelf.stamp(),
            **row,
            attempts=[AttemptData(**one) for one in self._shelf.rows.every(records.ATTEMPTS, mine)],
            result=None if market is None else market["result"],
        )

    def proof(self, column: str, name: str) -> ProofAnswer:
        """That a seal is in its day's tree, and the way to the root."""
        row = self._shelf.found("forecast", name, records.SEALED, [(column, "eq", name)])
        day = utc_from(datetime.fromisoformat(row["created_at"]).timestamp()).date()
        seals = self._shelf.rows.day_seals(day)
        proof = forecasts.prove(seals, row["seal"])
        root = self._root(day, seals)
        return ProofAnswer(
            **self._shelf.stamp(),
            forecast_id=row["forecast_id"],
            seal=row["seal"],
            root=root,
            steps=[ProofStep(side="left" if left else "right", sibling=sibling) for left, sibling in proof.steps],
            verified=forecasts.verify(proof) and proof.root == root.root,
            payload=row["payload"],
            recipe=list(RECIPE),
        )

    def seals(self, day: date, paging: PageRequest) -> SealsAnswer:
        """The leaves of a day's tree, in order."""
        seals = self._shelf.rows.day_seals(day)
        kept = {"day": day.isoformat()}
        after = "" if paging.cursor is None else str(decode_cursor("seals", kept, paging.cursor).get("seal"))
        behind = seals[bisect_right(seals, after) :]  # the day's list grows between two pages
        page = behind[: paging.limit]
        return SealsAnswer(
            items=page,
            count=len(page),
            next_cursor=encode_cursor("seals", kept, {"seal": page[-1]}) if len(page) < len(behind) else None,
            root=self._root(day, seals) if seals else None,
            **self._shelf.stamp(),
        )

    def _root(self, day: date, seals: Sequence[str]) -> RootData:
        """The published root, which the seals must give; before that what they give now."""
        root = forecasts.merkle_root(seals)
        published = self._shelf.rows.one(records.SEAL_ROOTS, [("day", "eq", day)])
        if published is not None and published["root"] != root:
            told = f"the {len(seals)} seals of {day} give {root}, its published root is {published['root']}"
            raise SourceMalformed(SOURCE, told, field="seal")
        return RootData(
            day=day, root=root, leaves=len(seals), status="provisional" if published is None else "published"
        )
