from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coliseum.arena.sources.catalogue import configured_feeds, shipped_feeds
from coliseum.errors import ConfigurationError

FEED = {"name": "Bureau", "url": "https://a.example/rss", "categories": ["Economics"], "series": ["KXCPI*"]}


def test_without_the_setting_the_shipped_feeds_are_read() -> None:
    assert configured_feeds(None) == shipped_feeds()
    covered = {category for feed in shipped_feeds() for category in feed.categories}
    assert {
        "Economics",
        "Financials",
        "Politics",
        "Climate and Weather",
        "Crypto",
        "Sports",
        "Entertainment",
    } <= covered


def test_off_means_no_feed() -> None:
    assert configured_feeds(" OFF ") == ()


def test_the_setting_is_json_or_a_file_with_it(tmp_path: Path) -> None:
    file = tmp_path / "feeds.json"
    file.write_text(json.dumps({"feeds": [FEED]}))
    (feed,) = configured_feeds(str(file))
    assert (feed,) == configured_feeds(json.dumps([FEED])) == configured_feeds(json.dumps({"feeds": [FEED]}))
    assert feed.is_for(category="Economics", series_ticker="KXGDP")
    assert feed.is_for(category="World", series_ticker="KXCPIYOY")
    assert not feed.is_for(category="World", series_ticker="KXGDP")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"url": "http://a.example/rss"}, "url"),
        ({"url": "https://127.0.0.1/rss"}, "url"),
        ({"url": "https://a.example:8443/rss"}, "url"),
        ({"url": 1}, "url"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"categories": "Economics"}, "categories"),
        ({"categories": [1]}, "categories"),
        ({"categories": [], "series": []}, "categories"),
        ({"tags": []}, "tags"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigurationError, match=f"ARENA_SOURCES: {names}"):
        configured_feeds(json.dumps([{**FEED, **change}]))


@pytest.mark.parametrize(
    "value",
    [
        *("{", "[1]", '{"feeds": {}}', '{"feeds": 1}', "/no/such/file", "nothing.json", "[" * 100_000, "[NaN"),
        *('{"feeds": [], "feeds": []}', json.dumps([FEED, FEED]), json.dumps([FEED] * 201), "x\x00y"),
    ],
)
def test_a_wrong_setting_stops_at_start_with_its_name(value: str) -> None:
    with pytest.raises(ConfigurationError, match="ARENA_SOURCES"):
        configured_feeds(value)
