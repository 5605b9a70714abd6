"""Frozen contexts for tests of contestants and prompts."""

from __future__ import annotations

from typing import Any


def context(**changes: Any) -> dict[str, Any]:
    """A market as it is frozen; `changes` replace its parts."""
    return {
        "as_of": "2026-11-21T07:00:00Z",
        "question": {
            "ticker": "KXRAIN-26NOV22-NYC",
            "event_ticker": "KXRAIN-26NOV22",
            "series_ticker": "KXRAIN",
            "category": "Climate and Weather",
            "title": "Will it rain in New York on Nov 22, 2026?",
            "subtitle": "New York",
            "rules": "Resolves YES if Central Park reports more than 0.00 inches.",
            "rules_secondary": "",
            "open_time": "2026-11-20T07:00:00Z",
            "close_time": "2026-11-22T19:00:00Z",
            "can_close_early": True,
            "other_outcomes": ["Boston", "Chicago"],
        },
        "precedent": {"yes": 12, "resolved": 40},
        "sources": [],
        "terms": {},
        "quote": {"yes_bid": "0.3000", "yes_ask": "0.3200", "probability": "0.3100", "last_price": "0.3100"},
        "history": [[1795240000 + hour * 3600, f"0.{28 + hour % 3}00"] for hour in range(5)],
        "activity": {"volume_24h": "1200", "open_interest": "900"},
        **changes,
    }
