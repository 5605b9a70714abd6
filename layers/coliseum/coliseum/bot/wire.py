"""The bot's JSON, as its contract describes it, and the limits within which we accept it.

The bot is somebody else's program, so every value is checked.

GET /health  {"status": "alive", "trade_count": n, "started_at": RFC 3339}
GET /status  {"mode": "paper" | "live", "strategy", "positions": […], "last_error"} and other fields; of these we read
             "idle_reasons": why nothing is traded, [{"reason": text, "markets": n}] or a list of texts
GET /trades  the newest 100 trades, newest first: a list, or {"trades": […], "started_at": RFC 3339, "trade_count": n}.
             The last two are those of /health at the moment of the list; they may be missing. A trade has
             "trade_id": text or integer, "ticker": text, "side": BUY or SELL in any case,
             "quantity": contracts above 0, "price": dollars per contract from 0 to 1 (0.65, not 65),
             "timestamp": Unix seconds, also as text, or RFC 3339 with its offset; and these, which may be missing:
             "outcome": yes or no in any case, "fee": dollars, below 0 for a rebate, "order_id": text or integer,
             "strategy": text; where a trade has none, the one in /status counts as its strategy
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_ID_CHARACTERS = 200
EARLIEST_SECONDS, LATEST_SECONDS = 946_684_800, 4_102_444_800
"""Unix seconds of the years 2000 and 2100. A time in milliseconds lies far beyond and is refused."""
MAX_REASONS = 20
MAX_STRATEGY_CHARACTERS = 100
MAX_ERROR_CHARACTERS = 1000
INEXACT_NUMBERS = 2**53
"""From here on a number with a decimal point may stand for its neighbour, so it is no id."""
LISTED_TRADES = 100
"""The contract's length of the list. The poller reads ten times as many."""
ALIVE_STATUSES = frozenset({"alive", "healthy", "ok", "running", "up"})

REQUIRED: Mapping[str, str] = {
    "trade_id": "an id of its own for each trade, as text or whole number",
    "ticker": "the exchange's market ticker",
    "side": "BUY or SELL",
    "quantity": "the number of contracts, above 0",
    "price": "dollars per contract, 0 to 1 (0.65, not 65)",
    "timestamp": "when the trade was executed, in unix seconds or RFC 3339",
}
"""The fields that every trade must have, and what they hold."""

JsonObject = dict[str, Any]
