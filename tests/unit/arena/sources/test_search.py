from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.sources.web import Page, Web

from coliseum.arena.sources.search import ExaSearch, exa_sources
from coliseum.arena.sources.source import DatedSource
from coliseum.errors import SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
RESULT = {
    "title": "Prices rise",
    "url": "https://a.example/1",
    "publishedDate": "2026-11-30T08:30:00.000Z",
    "author": "Bureau",
    "text": "They rose.",
    "score": 0.3,
}


def body(*results: Any) -> bytes:
    return json.dumps({"requestId": "x", "results": list(results), "costDollars": {"total": 0.007}}).encode()


def search(page: Page | Exception) -> tuple[list[DatedSource], Web]:
    web = Web({"api.exa.ai/search": page})

    async def run() -> list[DatedSource]:
        async with web.outbound() as outbound:
            return await ExaSearch("exa-key", clock=lambda: NOW).search(outbound, "Will prices rise?", as_of=NOW)

    return asyncio.run(run()), web


def test_a_search_gives_dated_sources_and_sends_the_key_in_a_header_only() -> None:
    (source,), web = search((200, {}, body(RESULT)))
    assert (source.title, source.publisher, source.published_at) == (
        "Prices rise",
        "Bureau",
        datetime(2026, 11, 30, 8, 30, tzinfo=UTC),
    )
    assert (web.asked, web.headers[0]["x-api-key"]) == (["api.exa.ai/search"], "exa-key")


@pytest.mark.parametrize(
    "change",
    [
        {"publishedDate": None},
        {"publishedDate": "2026-12-02T08:30:00.000Z"},
        {"publishedDate": "2026-12-01T12:00:01.000Z"},
        {"publishedDate": "2026-11-30T08:30:00"},
        {"title": ""},
        {"title": None},
        {"url": "javascript:x"},
        {"url": "https://polymarket.com/x"},
        {"text": "Kalshi says 70%"},
    ],
)
def test_a_result_without_a_sure_date_or_with_odds_is_dropped(change: dict[str, Any]) -> None:
    assert exa_sources(body({**RESULT, **change}, RESULT, 1, None, []), fetched_at=NOW) == exa_sources(
        body(RESULT), fetched_at=NOW
    )


def test_midnight_sharp_means_a_day_without_a_time() -> None:
    (source,) = exa_sources(body({**RESULT, "publishedDate": "2026-12-01T00:00:00.000Z"}), fetched_at=NOW)
    assert source.date_only
    assert not source.known_by(NOW)


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ((429, {}, b""), SourceRateLimited),
        ((500, {}, b""), SourceUnavailable),
        ((401, {}, b"exa-key"), SourceRefused),
        ((302, {"location": "https://b.example/"}, b""), SourceRefused),
        ((200, {}, b"{}"), SourceMalformed),
        ((200, {}, b"[" * 100_000), SourceMalformed),
        ((200, {}, b'{"results": {}}'), SourceMalformed),
        (httpx.ReadTimeout("slow"), SourceUnavailable),
    ],
)
def test_a_failure_is_an_error_of_its_kind_without_the_key(page: Page | Exception, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        search(page)
    assert "exa-key" not in str(caught.value)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["results", "url", "title", "text", "publishedDate"]), inner)))  # fmt: skip
def test_any_json_is_sources_or_malformed(value: Any) -> None:
    for answer in (value, {"results": value}, {"results": [value]}):
        try:
            found = exa_sources(json.dumps(answer).encode(), fetched_at=NOW)
            assert all(source.date_only or source.published_at <= NOW for source in found)
        except SourceMalformed:
            continue
