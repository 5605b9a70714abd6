"""A paper account as an append-only ledger: every balance is the replay of its rows. Dollars as Decimal. Pure.

Invariants, each checked by a property test:
- cash + cost basis of open positions + fees paid = deposits + realised profit (settlement counts as realised);
- a row is written once per key; replaying the rows gives the state; reversing a settlement restores it to the cent;
- cash never falls below 0, since positions are paid in full. Only the reversal of an amended result may leave a debt,
  because the exchange takes back what it had paid. Nothing is bought until the debt is covered.

The database checks the same invariants beside the ledger (`arena_book_rows`) and refuses a row that breaks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from coliseum.errors import InvalidInput
from coliseum.trading.money import CENT, ONE, ZERO
from coliseum.trading.trades import Outcome

BASIS_STEP = Decimal("0.000001")
"""Precision of a partial sale's share of the cost basis. The remaining position keeps the remainder."""


class LedgerRowKind(StrEnum):
    DEPOSIT = "deposit"
    BUY = "buy"
    CLOSE = "close"
    FEE = "fee"
    SETTLE = "settle"
    REVERSE = "reverse"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One ledger row. `cash` is the signed change; `price` is per contract of `side`."""

    seq: int
    key: str
    kind: LedgerRowKind
    cash: Decimal
    realized: Decimal = ZERO
    ticker: str | None = None
    side: Outcome | None = None
    contracts: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PaperPosition:
    """Contracts of one side and what they cost, fees aside."""

    side: Outcome
    contracts: Decimal
    basis: Decimal

    @property
    def average(self) -> Decimal:
        return self.basis / self.contracts

    def share(self, contracts: Decimal) -> Decimal:
        """The part of the basis that `contracts` of the position carry."""
        if contracts == self.contracts:
            return self.basis
        return (self.basis * contracts / self.contracts).quantize(BASIS_STEP, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class PaperLedgerState:
    """The state after a ledger's last row."""

    seq: int = 0
    cash: Decimal = ZERO
    deposits: Decimal = ZERO
    realized: Decimal = ZERO
    """Gross of fees."""
    fees: Decimal = ZERO
    positions: Mapping[str, PaperPosition] = field(default_factory=dict)

    @property
    def basis(self) -> Decimal:
        """Cost of all open positions."""
        return sum((position.basis for position in self.positions.values()), ZERO)

    def equity(self, marks: Mapping[str, Decimal | None]) -> Decimal:
        """Cash plus liquidation values (dollars per market); a position without a mark counts at cost."""
        value = self.cash
        for ticker, position in self.positions.items():
            mark = marks.get(ticker)
            value += position.basis if mark is None else mark
        return value


def replay(rows: Iterable[LedgerRow], start: PaperLedgerState | None = None) -> PaperLedgerState:
    """The state after `rows`. Raises InvalidInput for a gap in `seq` or a row that contradicts the state."""
    account = start or PaperLedgerState()
    for row in rows:
        account = apply(account, row)
    return account


def apply(account: PaperLedgerState, row: LedgerRow) -> PaperLedgerState:
    """The state after one more row. Raises InvalidInput as `replay` does."""
    if row.seq != account.seq + 1:
        raise InvalidInput("seq", row.seq, f"{account.seq + 1}: sequence numbers have no gaps")
    cash = account.cash + row.cash
    if cash < ZERO and (row.kind is LedgerRowKind.BUY or (row.kind is LedgerRowKind.FEE and account.cash >= ZERO)):
        raise InvalidInput("cash", row.cash, f"at most {account.cash} spent: an account borrows nothing")
    account = replace(account, seq=row.seq, cash=cash, realized=account.realized + row.realized)
    match row.kind:
        case LedgerRowKind.DEPOSIT:
            return replace(account, deposits=account.deposits + row.cash)
        case LedgerRowKind.FEE:
            return replace(account, fees=account.fees - row.cash)
        case LedgerRowKind.BUY:
            return _bought(account, row)
        case LedgerRowKind.CLOSE:
            return _closed(account, row)
        case LedgerRowKind.SETTLE:
            return _settled(account, row)
        case LedgerRowKind.REVERSE:
            return _reversed(account, row)


def deposit(account: PaperLedgerState, amount: Decimal, *, key: str) -> tuple[LedgerRow, ...]:
    """The opening row."""
    return (LedgerRow(seq=account.seq + 1, key=key, kind=LedgerRowKind.DEPOSIT, cash=amount),)


def buy(
    account: PaperLedgerState,
    *,
    ticker: str,
    side: Outcome,
    fills: Iterable[tuple[Decimal, Decimal]],
    fee: Decimal,
    key: str,
) -> tuple[LedgerRow, ...]:
    """Rows of one order: `fills` are (price, contracts) of `side` in dollars, `fee` is the order's whole fee.

    Contracts against a position of the other side close it: buying NO at p sells YES at 1 - p. The others open or add.
    The fee is a row of its own. Raises InvalidInput where the account cannot pay.
    """
    rows: list[LedgerRow] = []
    state = account
    for index, (price, contracts) in enumerate(fills):
        held = state.positions.get(ticker)
        closing = min(contracts, held.contracts) if held is not None and held.side is not side else ZERO
        if held is not None and closing:
            sale = ONE - price
            rows.append(
                LedgerRow(
                    seq=state.seq + 1,
                    key=f"{key}/{index}/close",
                    kind=LedgerRowKind.CLOSE,
                    cash=closing * sale,
                    realized=closing * sale - held.share(closing),
                    ticker=ticker,
                    side=held.side,
                    contracts=closing,
                    price=sale,
                )
            )
            state = apply(state, rows[-1])
        if contracts > closing:
            rows.append(
                LedgerRow(
                    seq=state.seq + 1,
                    key=f"{key}/{index}/buy",
                    kind=LedgerRowKind.BUY,
                    cash=-(contracts - closing) * price,
                    ticker=ticker,
                    side=side,
                    contracts=contracts - closing,
                    price=price,
                )
            )
            state = apply(state, rows[-1])
    if fee:
        rows.append(LedgerRow(seq=state.seq + 1, key=f"{key}/fee", kind=LedgerRowKind.FEE, cash=-fee, ticker=ticker))
        apply(state, rows[-1])
    return tuple(rows)


def settle(account: PaperLedgerState, *, ticker: str, yes_value: Decimal, version: int) -> tuple[LedgerRow, ...]:
    """The row that pays out a position at `yes_value` dollars per YES contract (0, 1 or a scalar between).

    `version` numbers the market's results: settling a version twice writes the same key. Without a
    position there is no row. The exchange pays whole cents: a scalar pay-out is rounded down.
    """
    position = account.positions.get(ticker)
    if position is None:
        return ()
    value = yes_value if position.side is Outcome.YES else ONE - yes_value
    paid = (position.contracts * value).quantize(CENT, ROUND_FLOOR)
    return (
        LedgerRow(
            seq=account.seq + 1,
            key=f"settle/{ticker}/{version}",
            kind=LedgerRowKind.SETTLE,
            cash=paid,
            realized=paid - position.basis,
            ticker=ticker,
            side=position.side,
            contracts=position.contracts,
            price=value,
        ),
    )


def reverse(settlement: LedgerRow, account: PaperLedgerState) -> tuple[LedgerRow, ...]:
    """The row that reverses `settlement` after its result was amended; it restores the position."""
    return (
        LedgerRow(
            seq=account.seq + 1,
            key=f"reverse/{settlement.key}",
            kind=LedgerRowKind.REVERSE,
            cash=-settlement.cash,
            realized=-settlement.realized,
            ticker=settlement.ticker,
            side=settlement.side,
            contracts=settlement.contracts,
            price=settlement.price,
        ),
    )


def _bought(account: PaperLedgerState, row: LedgerRow) -> PaperLedgerState:
    ticker, side, contracts = row.ticker, row.side, row.contracts
    if ticker is None or side is None or contracts is None:
        raise InvalidInput("row", row.key, "a purchase with ticker, side and contracts")
    held = account.positions.get(ticker)
    if held is not None and held.side is not side:
        raise InvalidInput("side", side, f"{held.side}: the other side closes before it opens")
    before = held or PaperPosition(side, ZERO, ZERO)
    after = PaperPosition(side, before.contracts + contracts, before.basis - row.cash)
    return replace(account, positions={**account.positions, ticker: after})


def _closed(account: PaperLedgerState, row: LedgerRow) -> PaperLedgerState:
    ticker, held = _held(account, row)
    contracts = row.contracts or ZERO
    left = held.contracts - contracts
    if left < ZERO:
        raise InvalidInput("contracts", contracts, f"at most the {held.contracts} held")
    positions = dict(account.positions)
    if left:
        positions[ticker] = PaperPosition(held.side, left, held.basis - held.share(contracts))
    else:
        del positions[ticker]
    return replace(account, positions=positions)


def _settled(account: PaperLedgerState, row: LedgerRow) -> PaperLedgerState:
    ticker, held = _held(account, row)
    if row.contracts != held.contracts or row.cash - row.realized != held.basis:
        raise InvalidInput("row", row.key, f"a pay-out of the whole position, {held.contracts} for {held.basis}")
    return replace(
        account, positions={name: position for name, position in account.positions.items() if name != ticker}
    )


def _reversed(account: PaperLedgerState, row: LedgerRow) -> PaperLedgerState:
    """The position is restored; its cost was the pay-out minus the realised profit."""
    if row.ticker is None or row.side is None or row.contracts is None or row.ticker in account.positions:
        raise InvalidInput("row", row.key, "the reversal of a settlement in a market without a position")
    position = PaperPosition(row.side, row.contracts, row.realized - row.cash)
    return replace(account, positions={**account.positions, row.ticker: position})


def _held(account: PaperLedgerState, row: LedgerRow) -> tuple[str, PaperPosition]:
    ticker = row.ticker or ""
    if ticker not in account.positions or account.positions[ticker].side is not row.side:
        raise InvalidInput("ticker", row.ticker, "a market and side in which the account holds a position")
    return ticker, account.positions[ticker]
