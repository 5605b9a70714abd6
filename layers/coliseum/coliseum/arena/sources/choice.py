"""Which of the known sources a market's contestants are shown. Pure.

Sources are ranked by the words that they share with the question, weighted by how rare each word is among the sources.
The choice depends on nothing else, so that it can be made again from the same sources.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from coliseum.arena.sources.duplicates import without_duplicates
from coliseum.arena.sources.source import DatedSource

MOST_SHOWN = 6
"""Sources per market. More cost every model more and hardly help: a handful of good ones carries the effect."""
OLDEST = timedelta(days=14)
SHARED_WEIGHT = 2.5
"""The least weight of shared words, about one rare word or two usual ones."""
_STOPWORDS = frozenset(
    (
        *("about", "above", "after", "all", "and", "any", "are", "been", "before", "below", "between", "both"),
        *("but", "can", "could", "did", "does", "for", "from", "had", "has", "have", "into", "its", "least"),
        *("less", "market", "markets", "may", "more", "most", "not", "one", "other", "over", "resolve"),
        *("resolves", "result", "rules", "said", "says", "shall", "should", "than", "that", "the", "their"),
        *("then", "there", "these", "they", "this", "under", "until", "was", "were", "what", "when", "which"),
        *("who", "will", "with", "would", "yes", "you", "your", "edt", "est", "utc", "date", "time", "exchange"),
        *("official", "following"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is known of a market when its sources are chosen."""

    text: str
    """Title, outcome, rules and the like."""
    own_feeds: Collection[str]
    """Addresses of the feeds that are for this market's series, and of its search: their sources always fit."""
    feeds: Collection[str]
    """Addresses of all feeds that are for this market, by series or category."""


def chosen_sources(
    question: Question, sources: Sequence[DatedSource], *, as_of: datetime, most: int = MOST_SHOWN
) -> list[DatedSource]:
    """At most `most` sources for the market, the best first, without duplicates; none later than `as_of`."""
    known = [
        source
        for source in sources
        if source.feed_url in question.feeds and source.known_by(as_of) and as_of - source.published_at <= OLDEST
    ]
    words = {id(source): _words(f"{source.title} {source.text}") for source in known}
    weights = _weights(list(words.values()))
    asked = _words(question.text)
    ranked = sorted(
        known,
        # The address makes the order certain where all else is equal.
        key=lambda source: (-_score(source, words, weights, asked, as_of), source.published_at, source.url),
    )
    fitting = [
        source
        for source in ranked
        if source.feed_url in question.own_feeds or _shared(words[id(source)], asked, weights) >= SHARED_WEIGHT
    ]
    return without_duplicates(fitting)[:most]


def _score(
    source: DatedSource,
    words: Mapping[int, frozenset[str]],
    weights: Mapping[str, float],
    asked: frozenset[str],
    as_of: datetime,
) -> float:
    """Shared weight, with half of it lost per week of age. A source without a shared word still has its age."""
    age = (as_of - source.published_at) / timedelta(days=7)
    return float((_shared(words[id(source)], asked, weights) + 0.1) * 0.5**age)


def _shared(own: frozenset[str], asked: frozenset[str], weights: Mapping[str, float]) -> float:
    return sum(weights[word] for word in own & asked)


def _weights(texts: Sequence[frozenset[str]]) -> dict[str, float]:
    """The inverse document frequency of each word: ln((N + 1) / (n + 0.5)), with N texts of which n have the word."""
    counts = Counter(word for text in texts for word in text)
    # With few texts no word looks rare, so that at least fifty are assumed.
    total = max(50, len(texts))
    return {word: math.log((total + 1) / (count + 0.5)) for word, count in counts.items()}


def _words(text: str) -> frozenset[str]:
    spaced = "".join(character if character.isalnum() else " " for character in text.casefold())
    return frozenset(
        _stem(word) for word in spaced.split() if len(word) > 2 and word not in _STOPWORDS and not word.isdigit()
    )


def _stem(word: str) -> str:
    """Without a plural ending: rates and rate are the same word."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
