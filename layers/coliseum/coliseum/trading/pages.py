"""One page of a list, and the rows that were left out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that could not be read and was left out."""

    endpoint: str
    """Method and documented path."""
    ticker: str | None
    """Of the market or event; None where the row names none."""
    field: str
    value: str | None
    """What the field holds, as short printable JSON; None where it is missing."""
    problem: str

    def __str__(self) -> str:
        held = "missing" if self.value is None else self.value
        return f"{self.endpoint}: {self.ticker or 'a row'} was left out: {self.field}: {self.problem} ({held})"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where the next ones begin; `cursor` is None on the last page."""

    items: tuple[T, ...]
    cursor: str | None
    rejected: tuple[RejectedRow, ...] = ()
    """Rows of this page that are not among the items. Lists of money have none: they are read as a whole or not."""
