"""Which subaccount the account's calls are about. One object per client, shared by its threads.

Without a number the exchange answers balance and positions for one subaccount (the key's own, else 0), but fills for
all of them. Where fills of several subaccounts come, only those that belong to the balance are kept, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable

PRIMARY = 0


class Subaccounts:
    """`number` is sent with every call; None leaves it out."""

    def __init__(self, number: int | None = None) -> None:
        self.number = number
        self._locked = number is not None
        self._others: frozenset[int] = frozenset()
        self._warned: frozenset[int] = frozenset()

    def undecided(self, numbers: Iterable[int]) -> bool:
        """Whether it is still unknown if fills with these numbers are of our subaccount."""
        return not self._locked and any(self.is_new(number) for number in numbers)

    def is_new(self, number: int) -> bool:
        return number != PRIMARY and number not in self._others

    def locked(self) -> None:
        """The key belongs to one subaccount, so everything that it may read is of that one."""
        self._locked = True

    def keep_primary(self, numbers: Iterable[int]) -> None:
        """The key may read all subaccounts: balance and positions are of 0, so only fills of 0 belong to them.

        From now on 0 is sent, because settlements do not say which subaccount they are of.
        """
        self.number = PRIMARY
        self._others |= {number for number in numbers if number != PRIMARY}

    def own(self, number: int) -> bool:
        """Whether a fill with this number belongs to the account that the balance shows."""
        return number == self.number or self.number is None or self._locked

    @property
    def whole(self) -> bool:
        """Whether the account is all that the member has, as far as is known: no subaccount is named or left out."""
        return self.number is None and not self._locked and not self._others

    def take_new_warning(self) -> str | None:
        """The warning, where it has become another one since the last call."""
        if self._others == self._warned:
            return None
        self._warned = self._others
        return self.warning

    @property
    def warning(self) -> str | None:
        """What the operator should know: which subaccounts are left out; None where nothing is."""
        if not self._others:
            return None
        names = ", ".join(map(str, sorted(self._others)))
        return (
            f"subaccounts_left_out: the account also traded in subaccount {names}, which is left out; "
            "balance, positions and books are of subaccount 0. Set KALSHI_SUBACCOUNT to see another one"
        )
