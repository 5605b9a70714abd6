from __future__ import annotations

import pytest

from coliseum.arena.sources.odds import quotes_odds


@pytest.mark.parametrize(
    "text",
    [
        "Kalshi traders expect a cut",
        "On Polymarket the chance stood at 64 cents",
        "Bettors see a 72% chance of a shutdown",
        "Markets are pricing in a roughly 80 percent chance of a cut",
        "Swaps imply 55% for December",
        "The Chiefs (-110) host the Raiders",
        "The Chiefs are 3-to-1 favourites",
        "now at 7/2 odds",
        "the implied probability fell",
        "CME's FedWatch tool",
        "Sportsbooks moved the line",
        "The odds of a recession rose",
        "a 40% implied chance",
    ],
)
def test_a_text_that_tells_a_price_or_odds_is_found(text: str) -> None:
    assert quotes_odds(url="https://a.example/", title="", text=text)
    assert quotes_odds(url="https://a.example/", title=text.upper() if text[0] == "K" else text, text="")


@pytest.mark.parametrize(
    "url", ["https://kalshi.com/markets/x", "https://www.Polymarket.com/", "https://news.covers.com/a"]
)
def test_a_site_of_odds_is_found_by_its_host(url: str) -> None:
    assert quotes_odds(url=url, title="Rain", text="It rains.")


@pytest.mark.parametrize(
    "text",
    [
        "The Consumer Price Index rose 0.3 percent in October",
        "Stock futures rose 1.2% before the report",
        "Oil prices fell 3 percent to $63 a barrel",
        "Bitcoin traded at $63,000",
        "A 60 percent chance of rain on Tuesday",
        "Against all odds the team won 24-17",
        "The market opens at 9:30",
        "Unemployment stood at 4.1%",
    ],
)
def test_ordinary_news_with_figures_passes(text: str) -> None:
    assert not quotes_odds(url="https://www.bls.gov/x", title="News", text=text)


@pytest.mark.parametrize("url", ["", "not a url", "https://[", "https://notkalshi.com/", "https://kalshi.com.example/"])
def test_a_strange_address_says_nothing(url: str) -> None:
    assert not quotes_odds(url=url, title="Rain", text="It rains.")
