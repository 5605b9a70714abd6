"""Sources that tell the same: equal addresses, equal titles, nearly equal texts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from coliseum.arena.sources.source import DatedSource

NEAR = 0.8
"""Two texts are nearly equal where they share this part of all their three-word pieces (Jaccard)."""


def without_duplicates(sources: Iterable[DatedSource]) -> list[DatedSource]:
    """The sources in their order, each with something new. Of duplicates the first one stays."""
    kept: list[DatedSource] = []
    addresses: set[str] = set()
    titles: set[str] = set()
    pieces: list[frozenset[tuple[str, ...]]] = []
    for source in sources:
        address, title, own = _address(source.url), " ".join(_words(source.title)), _pieces(source)
        if address in addresses or title in titles or any(_near(own, other) for other in pieces):
            continue
        kept.append(source)
        addresses.add(address)
        titles.add(title)
        pieces.append(own)
    return kept


def _address(url: str) -> str:
    """The address without what does not tell two pages apart: scheme, www, campaign parameters, fragment."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return url
    query = "&".join(sorted(part for part in parts.query.split("&") if part and not part.lower().startswith("utm_")))
    return f"{host}{parts.path.rstrip('/')}?{query}"


def _words(text: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in text.casefold()).split()


def _pieces(source: DatedSource) -> frozenset[tuple[str, ...]]:
    words = _words(f"{source.title} {source.text}")
    return frozenset(tuple(words[start : start + 3]) for start in range(max(1, len(words) - 2)))


def _near(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    return len(one & other) >= NEAR * len(one | other)
