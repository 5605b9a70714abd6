"""Columns of labels as codes, so that a million rows need not hold a million texts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Mask


class Labels(Sequence[str]):
    """A column of labels: row i has `names[code[i]]`. It is read like a sequence of texts.

    `names` may be in any order, may hold names that no row has, and may hold one twice.
    """

    __slots__ = ("code", "names")

    def __init__(self, names: Sequence[str], code: Codes) -> None:
        self.names = names
        self.code = code

    @classmethod
    def of(cls, labels: Sequence[str]) -> Labels:
        """The column of these labels."""
        return labels if isinstance(labels, Labels) else cls(*coded(labels))

    @classmethod
    def constant(cls, label: str, length: int) -> Labels:
        """A column with one label for all rows."""
        return cls((label,), np.zeros(length, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.code)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Labels: ...
    def __getitem__(self, row: int | slice) -> str | Labels:
        return Labels(self.names, self.code[row]) if isinstance(row, slice) else self.names[self.code[row]]

    def __iter__(self) -> Iterator[str]:
        return map(self.names.__getitem__, self.code.tolist())

    def rows(self, rows: Codes) -> Labels:
        """The rows with these indexes, in the given order."""
        return Labels(self.names, self.code[rows])

    def marks(self, *labels: str) -> Mask:
        """Marks the rows that have one of these labels."""
        return np.array([name in labels for name in self.names], dtype=np.bool_)[self.code]

    def filled(self, others: Labels) -> Labels:
        """The column, with the label of `others` where a row has the empty label."""
        empty = self.marks("")
        if not empty.any():
            return self
        return Labels([*self.names, *others.names], np.where(empty, others.code + len(self.names), self.code))


def coded(labels: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    """(The sorted distinct labels, the index of the label of each row)."""
    if isinstance(labels, Labels):
        return _sorted_codes(labels)
    rows: Any = labels.tolist() if isinstance(labels, np.ndarray) else labels
    names = sorted(set(rows))
    index: Mapping[str, int] = {name: code for code, name in enumerate(names)}
    return tuple(names), np.fromiter(map(index.__getitem__, rows), dtype=np.int64, count=len(rows))


def _sorted_codes(labels: Labels) -> tuple[tuple[str, ...], Codes]:
    used = np.flatnonzero(np.bincount(labels.code, minlength=len(labels.names))).tolist()
    names = sorted({labels.names[code] for code in used})
    index = {name: code for code, name in enumerate(names)}
    place = np.zeros(len(labels.names), dtype=np.int64)
    for code in used:
        place[code] = index[labels.names[code]]
    return tuple(names), place[labels.code]
