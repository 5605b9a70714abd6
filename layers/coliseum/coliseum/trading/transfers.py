"""Deposits and withdrawals of an account, in dollars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from coliseum.trading.money import ZERO

APPLIED = "applied"
"""The status of a transfer that the balance contains. Others are pending, failed and returned."""


class TransferKind(StrEnum):
    """The direction of the money."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One deposit or withdrawal."""

    transfer_id: str
    kind: TransferKind
    status: str
    """pending, applied, failed or returned, as the exchange sends it."""
    method: str
    """ach, wire, crypto, debit or apm, as the exchange sends it."""
    amount: Decimal
    """Dollars, above 0 in both directions."""
    fee: Decimal
    """Dollars that were charged for the transfer itself."""
    created_at: datetime
    finalized_at: datetime | None

    @property
    def is_applied(self) -> bool:
        return self.status == APPLIED


def net_deposits(transfers: Iterable[Transfer]) -> Decimal:
    """Dollars of the applied deposits less those of the applied withdrawals."""
    signs = {TransferKind.DEPOSIT: 1, TransferKind.WITHDRAWAL: -1}
    return sum((signs[row.kind] * row.amount for row in transfers if row.is_applied), ZERO)
