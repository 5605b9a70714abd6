from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.unit.arena.sources.web import Page, Web

from coliseum.arena.sources.fetching import PoliteFetcher
from coliseum.errors import ColiseumError, SourceRefused, SourceUnavailable

OK: Page = (200, {}, b"hello")


def robots(text: str) -> Page:
    return (200, {"content-type": "text/plain"}, text.encode())


def fetch(web: Web, *urls: str) -> tuple[list[int | ColiseumError], list[float]]:
    """The status or the error of each request in turn, and the pauses between."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def run() -> list[int | ColiseumError]:
        async with web.outbound() as outbound:
            fetcher = PoliteFetcher(outbound, sleep=sleep)
            found: list[int | ColiseumError] = []
            for url in urls:
                try:
                    found.append((await fetcher.get(url)).status)
                except ColiseumError as error:
                    found.append(error)
            return found

    return asyncio.run(run()), pauses


def test_robots_txt_is_read_once_per_host_and_a_pause_lies_between_requests() -> None:
    web = Web({"a.example/1": OK, "a.example/2": OK, "b.example/1": OK})
    statuses, pauses = fetch(web, "https://a.example/1", "https://a.example/2", "https://b.example/1")
    assert statuses == [200, 200, 200]
    assert web.asked == [
        *("a.example/robots.txt", "a.example/1", "a.example/2"),
        *("b.example/robots.txt", "b.example/1"),
    ]
    assert pauses == [1.0]


@pytest.mark.parametrize("agent", ["*", "coliseum", "Coliseum"])
def test_what_robots_txt_forbids_is_not_asked_for(agent: str) -> None:
    web = Web({"a.example/robots.txt": robots(f"User-agent: {agent}\nDisallow: /feed"), "a.example/feed": OK})
    (error, allowed), _ = fetch(web, "https://a.example/feed", "https://a.example/other")
    assert isinstance(error, SourceRefused)
    assert allowed == 404
    assert "a.example/feed" not in web.asked


def test_a_rule_for_other_robots_does_not_count() -> None:
    web = Web({"a.example/robots.txt": robots("User-agent: other\nDisallow: /"), "a.example/feed": OK})
    assert fetch(web, "https://a.example/feed")[0] == [200]


@pytest.mark.parametrize("page", [(500, {}, b""), (503, {}, b""), (429, {}, b""), httpx.ReadError("broken")])
def test_a_robots_txt_that_cannot_be_had_forbids_everything(page: Page | Exception) -> None:
    web = Web({"a.example/robots.txt": page, "a.example/feed": OK})
    (error, again), _ = fetch(web, "https://a.example/feed", "https://a.example/feed")
    assert isinstance(error, SourceUnavailable)
    assert isinstance(again, SourceUnavailable)
    assert web.asked == ["a.example/robots.txt"]


@pytest.mark.parametrize("page", [(404, {}, b"x"), (403, {}, b"x"), (200, {}, b"\x00\xff<html>")])
def test_a_missing_or_odd_robots_txt_allows_everything(page: Page) -> None:
    assert fetch(Web({"a.example/robots.txt": page, "a.example/feed": OK}), "https://a.example/feed")[0] == [200]


def test_a_longer_pause_is_kept_and_one_that_is_too_long_ends_the_visit() -> None:
    urls = ("https://a.example/1", "https://a.example/2")
    slow = Web({"a.example/robots.txt": robots("User-agent: *\nCrawl-delay: 7")})
    assert fetch(slow, *urls) == ([404, 404], [7.0])
    too_slow = Web({"a.example/robots.txt": robots("User-agent: *\nCrawl-delay: 600")})
    (first, second), pauses = fetch(too_slow, *urls)
    assert (first, pauses) == (404, [])
    assert isinstance(second, SourceRefused)


def test_a_private_address_is_refused_before_robots_txt() -> None:
    web = Web({}, private=frozenset({"inside.example"}))
    (error,), _ = fetch(web, "https://inside.example/feed")
    assert isinstance(error, SourceRefused)
    assert web.asked == []
