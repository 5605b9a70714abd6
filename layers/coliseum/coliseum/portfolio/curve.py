"""A long equity curve with few points. Pure.

The method is M4: the span is cut into equal pieces of time, and of each piece the first, the lowest, the highest and
the last snapshot stay. So both ends and every extreme of a piece stay exactly as they were, and the same snapshots
always give the same points. Nothing is averaged: every point is a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable

from coliseum.portfolio.records import BalanceSnapshot

POINTS_PER_PIECE = 4
MAX_POINTS = 2000


class CurveSampler:
    """Takes snapshots oldest first, as many as there are, and keeps `points` at most."""

    def __init__(self, first_at: float, last_at: float, points: int) -> None:
        """The span of the snapshots in unix seconds. Raises ValueError for fewer points than one piece needs."""
        if points < POINTS_PER_PIECE:
            raise ValueError(f"{points} points: at least {POINTS_PER_PIECE} are needed")
        self._first_at = first_at
        self._seconds = last_at - first_at
        self._points = points
        self._few: list[BalanceSnapshot] | None = []
        """All snapshots, while they are not more than the points asked for."""
        self._pieces: dict[int, _Piece] = {}

    def add(self, snapshots: Iterable[BalanceSnapshot]) -> None:
        for snapshot in snapshots:
            if self._few is None:
                self._add_to_piece(snapshot)
                continue
            self._few.append(snapshot)
            if len(self._few) > self._points:
                for each in self._few:
                    self._add_to_piece(each)
                self._few = None

    def result(self) -> list[BalanceSnapshot]:
        """The points, oldest first."""
        if self._few is not None:
            return list(self._few)
        return [row for number in sorted(self._pieces) for row in self._pieces[number].points()]

    def _add_to_piece(self, snapshot: BalanceSnapshot) -> None:
        pieces = self._points // POINTS_PER_PIECE
        share = (snapshot.taken_at.timestamp() - self._first_at) / self._seconds if self._seconds > 0 else 0.0
        number = min(max(int(share * pieces), 0), pieces - 1)
        piece = self._pieces.get(number)
        if piece is None:
            self._pieces[number] = _Piece(snapshot)
        else:
            piece.add(snapshot)


class _Piece:
    """The snapshots of one piece of time that stay."""

    def __init__(self, snapshot: BalanceSnapshot) -> None:
        self._first = self._lowest = self._highest = self._last = snapshot

    def add(self, snapshot: BalanceSnapshot) -> None:
        self._last = snapshot
        if snapshot.equity < self._lowest.equity:
            self._lowest = snapshot
        if snapshot.equity > self._highest.equity:
            self._highest = snapshot

    def points(self) -> list[BalanceSnapshot]:
        kept = {row.taken_at: row for row in (self._first, self._lowest, self._highest, self._last)}
        return [kept[taken_at] for taken_at in sorted(kept)]
