"""Whether a text tells what a market, a bookmaker or a forecasting site thinks. Pure.

The informed track is to show what news is worth, so that a source must not bring the price in by the back door. The
rule is strict: it drops an article that only mentions a prediction market.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PHRASES = tuple(
    f" {phrase} "
    for phrase in (
        *(
            "kalshi",
            "polymarket",
            "predictit",
            "manifold markets",
            "metaculus",
            "prediction market",
            "prediction markets",
        ),
        *("betting market", "betting markets", "betting odds", "betting favorite", "betting favourite", "betting line"),
        *(
            "betfair",
            "smarkets",
            "oddschecker",
            "draftkings",
            "fanduel",
            "betmgm",
            "bet365",
            "ladbrokes",
            "william hill",
        ),
        *("paddy power", "caesars sportsbook", "sportsbook", "sportsbooks", "bookmaker", "bookmakers", "bookies"),
        *("oddsmaker", "oddsmakers", "fedwatch", "moneyline", "point spread", "parlay", "prop bet", "prop bets"),
        *("implied probability", "implied probabilities", "implied odds", "odds of", "odds at", "odds on", "odds for"),
        *("odds are", "odds were", "odds stood", "odds rose", "odds fell", "odds now", "odds have", "odds that"),
    )
)
_FIGURES = (
    # traders see a 72% chance
    re.compile(
        r"(?:traders|bettors|futures|swaps|options|markets?) (?:[a-z]{1,12} ){0,2}"
        r"(?:see|pric|put|impl|assign|expect|give|gave)[a-z]{0,3} (?:[a-z]{1,12} ){0,3}"
        r"\d{1,3}(?:\.\d{1,2})? ?(?:%|percent|per cent|cents)"
    ),
    re.compile(r"\d{1,3}(?:\.\d{1,2})? ?(?:%|percent|per cent) (?:odds|implied)"),
    re.compile(r"\d{1,3}(?:-to-|/|-)\d{1,3} (?:odds|favou?rite|underdog|shot)"),
    re.compile(r"\([+-]\d{3,4}\)"),  # a moneyline
)
_SITES = (
    *("kalshi.com", "polymarket.com", "predictit.org", "manifold.markets", "metaculus.com", "insightprediction.com"),
    *(
        "electionbettingodds.com",
        "oddschecker.com",
        "oddsshark.com",
        "vegasinsider.com",
        "covers.com",
        "actionnetwork.com",
    ),
    *("draftkings.com", "fanduel.com", "betfair.com", "smarkets.com", "bet365.com", "goodjudgment.io", "robinhood.com"),
)


def quotes_odds(*, url: str, title: str, text: str) -> bool:
    """Whether the source is of a site that publishes odds, names one, or states odds or an implied probability."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        host = ""
    if any(host == site or host.endswith(f".{site}") for site in _SITES):
        return True
    said = f"{title} {text}".lower()
    words = "".join(character if character.isalnum() else " " for character in said)
    spaced = f" {' '.join(words.split())} "
    return any(phrase in spaced for phrase in _PHRASES) or any(figure.search(said) for figure in _FIGURES)
