"""The client of the trading bot: three GETs with a short time-out and a limited body. Owns httpx.

Nothing is tried again here, because the poller's next tick asks again anyway.
"""

from __future__ import annotations

import time
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from coliseum.bot.parse import SOURCE, BotHealth, BotStatus, BotTrades, health_from, status_from, trades_from
from coliseum.bot.wire import MAX_BODY_BYTES
from coliseum.config import Settings
from coliseum.errors import SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable

TIMEOUT_SECONDS = 2.0


class Bot:
    """The bot's HTTP interface. Its calls raise SourceError: unavailable, refused, rate limited or malformed."""

    def __init__(self, *, status_url: str, trades_url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._status_url = status_url
        self._trades_url = trades_url
        self._health_url = _beside(status_url, "health")
        self._seconds = timeout_seconds
        # A small compressed body could unpack to any size, so only uncompressed ones are accepted.
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "coliseum"}
        self._http = httpx.Client(timeout=timeout_seconds, headers=headers)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(status_url=settings.bot_status_endpoint, trades_url=settings.bot_trades_endpoint)

    def health(self) -> BotHealth:
        """Whether the bot is alive, since when, and how many trades it made."""
        return health_from(self._get(self._health_url))

    def status(self) -> BotStatus:
        """The bot's mode, strategy, positions and last error."""
        return status_from(self._get(self._status_url))

    def trades(self) -> BotTrades:
        """The trades that the bot lists, oldest first, and the rows that could not be read."""
        return trades_from(self._get(self._trades_url))

    def body(self, endpoint: Literal["health", "status", "trades"]) -> bytes:
        """The answer of one endpoint as it came, for checks."""
        urls = {"health": self._health_url, "status": self._status_url, "trades": self._trades_url}
        return self._get(urls[endpoint])

    def close(self) -> None:
        self._http.close()

    def _get(self, url: str) -> bytes:
        path = urlsplit(url).path
        end = time.monotonic() + self._seconds
        try:
            with self._http.stream("GET", url) as response:
                _raise_for_status(response, path)
                return self._body(response, path, end)
        except httpx.HTTPError as error:
            problem = f"{path}: {type(error).__name__}: {error}".removesuffix(": ")
            raise SourceUnavailable(SOURCE, problem) from error

    def _body(self, response: httpx.Response, path: str, end: float) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise SourceMalformed(SOURCE, f"{path}: expected an uncompressed answer", field="content-encoding")
        parts: list[bytes] = []
        size = 0
        for part in response.iter_raw():
            parts.append(part)
            size += len(part)
            if size > MAX_BODY_BYTES:
                raise SourceMalformed(SOURCE, f"{path}: answered more than {MAX_BODY_BYTES} bytes", field="body")
            if time.monotonic() > end:
                raise SourceUnavailable(SOURCE, f"{path}: the answer took longer than {self._seconds} s")
        return b"".join(parts)


def _raise_for_status(response: httpx.Response, path: str) -> None:
    status = response.status_code
    if status == 200:
        return
    problem = f"{path} answered {status}"
    if status == 429:
        raise SourceRateLimited(SOURCE, problem, status=status)
    if status >= 500:
        raise SourceUnavailable(SOURCE, problem, status=status)
    raise SourceRefused(SOURCE, problem, status=status)


def _beside(url: str, name: str) -> str:
    """`url` with its last path segment replaced."""
    parts = urlsplit(url)
    folder = parts.path.rpartition("/")[0]
    return urlunsplit((parts.scheme, parts.netloc, f"{folder}/{name}", "", ""))
