"""Which feeds are read, and for which markets: the setting ARENA_SOURCES, or the list that ships with the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from coliseum.errors import ConfigurationError, InvalidInput
from coliseum.json_objects import strict_json
from coliseum.outbound.targets import target

OFF = "off"
MOST_FEEDS = 200
_FIELDS = ("name", "url", "categories", "series")
_EXPECTED = (
    '{"feeds": [{"name": …, "url": …, "categories": […], "series": […]}]} as JSON, the path of such a file, or off'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsFeed:
    """An RSS or Atom feed and the markets that it is for: by the exchange's category, or by the series' ticker."""

    name: str
    """The publisher, as contestants see it."""
    url: str
    categories: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    """Patterns such as `KXHIGH*`."""

    def names_series(self, series_ticker: str) -> bool:
        return any(fnmatchcase(series_ticker, pattern) for pattern in self.series)

    def is_for(self, *, category: str, series_ticker: str) -> bool:
        return category in self.categories or self.names_series(series_ticker)


def configured_feeds(value: str | None) -> tuple[NewsFeed, ...]:
    """The feeds of the setting ARENA_SOURCES; without a value the shipped ones, with `off` none.

    Raises ConfigurationError with the setting's name.
    """
    if value is None:
        return shipped_feeds()
    if value.strip().lower() == OFF:
        return ()
    text = value if value.lstrip().startswith(("{", "[")) else _file(value)
    try:
        return parse_feeds(strict_json(text))
    except InvalidInput as error:
        raise ConfigurationError("ARENA_SOURCES", str(error)) from None
    except (ValueError, RecursionError):
        raise ConfigurationError("ARENA_SOURCES", f"expected {_EXPECTED}") from None


@cache
def shipped_feeds() -> tuple[NewsFeed, ...]:
    """The feeds that ship with the package."""
    return parse_feeds(strict_json(files("coliseum.arena.sources").joinpath("feeds.json").read_text()))


def parse_feeds(document: Any) -> tuple[NewsFeed, ...]:
    """The feeds of a document. Raises InvalidInput for unknown, missing or wrong fields, and for a repeated address."""
    entries = document.get("feeds") if isinstance(document, Mapping) else document
    if not isinstance(entries, list) or len(entries) > MOST_FEEDS:
        raise InvalidInput("feeds", type(entries).__name__, f"a list of at most {MOST_FEEDS} feeds: {_EXPECTED}")
    found = tuple(_feed(entry) for entry in entries)
    urls = [feed.url for feed in found]
    if repeated := next((url for url in urls if urls.count(url) > 1), None):
        raise InvalidInput("url", repeated, "every feed once")
    return found


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError("ARENA_SOURCES", f"expected {_EXPECTED}; no file: {type(error).__name__}") from None


def _feed(entry: object) -> NewsFeed:
    if not isinstance(entry, Mapping):
        raise InvalidInput("feeds", entry, f"objects with the fields {', '.join(_FIELDS)}")
    if unknown := sorted(entry.keys() - set(_FIELDS)):
        raise InvalidInput(str(unknown[0]), entry[unknown[0]], f"only the fields {', '.join(_FIELDS)}")
    name, url = entry.get("name"), entry.get("url")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 100:
        raise InvalidInput("name", name, "the publisher's name, in at most 100 characters")
    if not isinstance(url, str):
        raise InvalidInput("url", url, f"the feed's address, for {name}")
    categories, series = _texts(entry, "categories"), _texts(entry, "series")
    if not categories and not series:
        raise InvalidInput("categories", None, f"at least one category or series, for {name}")
    return NewsFeed(name=name.strip(), url=target(url).url, categories=categories, series=series)


def _texts(entry: Mapping[str, Any], field: str) -> tuple[str, ...]:
    values: Sequence[object] = entry.get(field, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise InvalidInput(field, values, "a list of texts")
    return tuple(str(value) for value in values)
