"""Polite requests: robots.txt first, a pause between two requests to one host, sizes and times limited."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from protego import Protego

from coliseum.errors import ColiseumError, SourceRefused, SourceUnavailable
from coliseum.outbound.client import Outbound, OutboundAnswer, OutboundRequest
from coliseum.outbound.targets import target

AGENT = "coliseum"
"""The name that rules in robots.txt are looked up for."""
REQUEST_SECONDS = 10.0
MOST_BYTES = 1_048_576
MOST_ROBOTS = 512_000
"""RFC 9309 asks for at least 500 KiB."""
REDIRECTS = 3
PAUSE_SECONDS = 1.0
LONGEST_PAUSE = 20.0
"""A host that asks for more than this between two requests is asked once in a run."""
Sleep = Callable[[float], Awaitable[None]]


class PoliteFetcher:
    """Requests of one run. It asks each host one thing at a time and reads its robots.txt once."""

    def __init__(self, outbound: Outbound, *, sleep: Sleep = asyncio.sleep) -> None:
        self._outbound = outbound
        self._sleep = sleep
        self._rules: dict[str, Protego | ColiseumError] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: set[str] = set()

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> OutboundAnswer:
        """The answer to a GET, whatever its status. `robots.txt` is obeyed for the address that is asked for.

        Raises what `Outbound.send` raises, and SourceRefused where robots.txt forbids the address.
        """
        host = target(url).host
        async with self._turns[host]:
            rules = await self._robots(host)
            if not rules.can_fetch(url, AGENT):
                raise SourceRefused(host, "robots.txt forbids this address")
            await self._pause(host, float(rules.crawl_delay(AGENT) or 0))
            return await self._outbound.send(
                OutboundRequest(
                    url=url, seconds=REQUEST_SECONDS, most_bytes=MOST_BYTES, redirects=REDIRECTS, headers=headers
                )
            )

    async def _pause(self, host: str, wanted: float) -> None:
        """Wait before the second and every later request. The first one follows robots.txt at once."""
        if host in self._asked:
            if wanted > LONGEST_PAUSE:
                raise SourceRefused(host, f"robots.txt asks for a pause of {wanted:g} s")
            await self._sleep(max(PAUSE_SECONDS, wanted))
        self._asked.add(host)

    async def _robots(self, host: str) -> Protego:
        """By RFC 9309 a missing file (4xx) allows everything, and one that cannot be had forbids everything."""
        if host not in self._rules:
            try:
                self._rules[host] = await self._read_robots(host)
            except ColiseumError as error:
                self._rules[host] = error
        rules = self._rules[host]
        if isinstance(rules, ColiseumError):
            raise rules
        return rules

    async def _read_robots(self, host: str) -> Protego:
        request = OutboundRequest(
            url=f"https://{host}/robots.txt", seconds=REQUEST_SECONDS, most_bytes=MOST_ROBOTS, redirects=REDIRECTS
        )
        answer = await self._outbound.send(request)
        if answer.status >= 500 or answer.status == 429:
            raise SourceUnavailable(host, f"robots.txt answered {answer.status}", status=answer.status)
        text = answer.body.decode("utf-8", errors="replace") if answer.status == 200 else ""
        return Protego.parse(text)
