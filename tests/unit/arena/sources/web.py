"""A small web behind one TLS server: pages by host and path, and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from tests.fixtures.secure_server import PUBLIC

from coliseum.outbound.client import Outbound

Page = tuple[int, Mapping[str, str], bytes]
NO_PAGE: Page = (404, {}, b"")


@dataclass
class Web(httpx.AsyncBaseTransport):
    """Answers in place of the network, below the client's checks of names and addresses."""

    pages: dict[str, Page | Exception]
    """By address without scheme, such as `a.example/feed`. Other addresses answer 404."""
    private: frozenset[str] = frozenset()
    """Names whose address is private."""
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        address = request.headers["host"] + request.url.raw_path.decode()
        self.asked.append(address)
        self.headers.append(dict(request.headers))
        page = self.pages.get(address, NO_PAGE)
        if isinstance(page, Exception):
            raise page
        status, headers, body = page
        return httpx.Response(status, headers=dict(headers), stream=httpx.ByteStream(body))

    def outbound(self) -> Outbound:
        return Outbound(resolve=lambda name: ["10.0.0.1"] if name in self.private else [PUBLIC], transport=self)
