"""The desks as an ASGI app: pages, feeds with conditional requests, robots.txt."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import Any

from coliseum_local.news.desks import desk_feed, desk_page, desks, newest_number

ROBOTS = b"User-agent: *\nDisallow: /private/\n"
_NO_PAGE = (404, {"content-type": "text/plain"}, b"no such page")
Page = tuple[int, dict[str, str], bytes]


class NewsServer:
    """Serves the desks. `clock` gives the present."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, answer_headers, body = self.page(scope["path"], if_none_match=headers.get("if-none-match"))
        fields = {**answer_headers, "content-length": str(len(body))}
        raw = [(name.encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def page(self, path: str, *, if_none_match: str | None = None) -> Page:
        """(Status, headers, body) of a path."""
        if path == "/robots.txt":
            return 200, {"content-type": "text/plain"}, ROBOTS
        name = path.removeprefix("/desks/")
        desk = desks().get(name.removesuffix(".xml"))
        if desk is None or name == path:
            return _NO_PAGE
        if not name.endswith(".xml"):
            return 200, {"content-type": "text/html"}, desk_page(desk)
        now = self._clock()
        etag = f'"{newest_number(now)}"'
        if if_none_match == etag:
            return 304, {"etag": etag}, b""
        return 200, {"content-type": "application/xml", "etag": etag}, desk_feed(desk, now)
