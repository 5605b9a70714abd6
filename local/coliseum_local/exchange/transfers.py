"""Deposits and withdrawals of a member. Only an applied one changes the cash."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from coliseum.trading.transfers import APPLIED, TransferKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """A transfer as the operator orders it, in dollars of whole cents."""

    kind: TransferKind
    amount: Decimal
    fee: Decimal
    status: str = APPLIED
    method: str = "ach"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTransfer:
    """One transfer of one account. Times are unix seconds."""

    transfer_id: str
    account_id: str
    request: TransferRequest
    created: float
    finalized: float | None
