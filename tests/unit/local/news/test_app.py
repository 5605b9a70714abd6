from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coliseum_local.news.app import NewsServer

NOW = datetime(2026, 12, 1, 12, 2, tzinfo=UTC)


def test_a_feed_is_unchanged_until_its_next_item() -> None:
    now = [NOW]
    server = NewsServer(lambda: now[0])
    status, headers, body = server.page("/desks/court-desk.xml")
    assert (status, body.startswith(b"<?xml")) == (200, True)
    assert server.page("/desks/court-desk.xml", if_none_match=headers["etag"])[0] == 304
    now[0] += timedelta(minutes=5)
    assert server.page("/desks/court-desk.xml", if_none_match=headers["etag"])[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/robots.txt", 200), ("/desks/court-desk", 200), ("/desks/no-desk", 404), ("/", 404), ("/court-desk.xml", 404)],
)
def test_pages_by_path(path: str, status: int) -> None:
    assert NewsServer(lambda: NOW).page(path)[0] == status
