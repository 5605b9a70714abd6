"""The client for addresses that outsiders chose: feeds, and the endpoints of entrants. Owns httpx.

A name is looked up once. The request is refused unless all of its addresses are public, and it goes to one of exactly
these addresses, so that a second look-up (DNS rebinding) cannot lead it elsewhere. TLS still checks the name. Every
redirect is a new target with the same checks. No setting opens private addresses.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Literal, Self

import httpx

from coliseum.errors import InvalidInput, SourceMalformed, SourceRefused, SourceUnavailable
from coliseum.outbound.addresses import refusal
from coliseum.outbound.local_names import local_base
from coliseum.outbound.targets import Target, redirected, target

Resolve = Callable[[str], Sequence[str]]
"""The IP addresses of a name. Blocking; raises OSError."""
ADDRESSES_TRIED = 3
"""How many of a name's addresses are tried until one accepts the connection."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
USER_AGENT = "coliseum"


def system_addresses(name: str) -> list[str]:
    """The addresses by the system's resolver."""
    found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRequest:
    """What is asked of whom, and how much it may take."""

    url: str
    seconds: float
    """For everything together: look-up, connection, redirects, headers, body."""
    most_bytes: int
    """The largest body that is accepted."""
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] | None = None
    body: bytes | None = None
    redirects: int = 0
    """How many redirects are followed. Only for GET."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundAnswer:
    """An answer with any status. `url` is where it came from after redirects; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Outbound:
    """An asynchronous context manager. `resolve` and `transport` (the dial) are replaced by tests only."""

    def __init__(
        self,
        *,
        user_agent: str = USER_AGENT,
        resolve: Resolve = system_addresses,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._resolve = resolve
        # trust_env: no proxy and no .netrc. A proxy would look the name up again, behind the check.
        # No connection is kept: the pool tells connections apart by address, and a second name at the same address
        # would use one whose certificate was checked for the first name.
        # httpx would log every URL at INFO, and an outsider's URL may hold a key.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._http = httpx.AsyncClient(
            transport=transport,
            # Cookies are kept by address, so one name could set those of another at the same address.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
            follow_redirects=False,
            headers={"user-agent": user_agent, "connection": "close"},
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def send(self, request: OutboundRequest) -> OutboundAnswer:
        """The answer, whatever its status.

        Raises InvalidInput for a URL that may not be called, SourceRefused for a name with an address that is not
        public or a redirect that may not be followed, SourceUnavailable where there is no answer in time, and
        SourceMalformed for a body that is too large or compressed. `source` of these errors is the host's name.
        """
        aim = target(request.url)
        try:
            async with asyncio.timeout(request.seconds):
                return await self._follow(aim, request)
        except TimeoutError:
            raise SourceUnavailable(aim.host, f"no whole answer within {request.seconds:g} s") from None

    async def _follow(self, aim: Target, request: OutboundRequest) -> OutboundAnswer:
        left = request.redirects if request.method == "GET" else 0
        while True:
            answer = await self._ask(aim, request)
            location = answer.headers.get("location")
            if answer.status not in REDIRECTS or location is None or request.redirects == 0:
                return answer
            if left == 0:
                raise SourceRefused(aim.host, f"more than {request.redirects} redirects", status=answer.status)
            left -= 1
            try:
                aim = redirected(aim, location)
            except InvalidInput as error:
                raise SourceRefused(
                    aim.host, f"a redirect may not be followed: {error}", status=answer.status
                ) from None

    async def _ask(self, aim: Target, request: OutboundRequest) -> OutboundAnswer:
        problem = "it has no address"
        for base in await self._bases(aim.host):
            try:
                return await self._ask_at(base, aim, request)
            except httpx.ConnectError as error:
                problem = f"no connection: {error}"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise SourceUnavailable(aim.host, f"{type(error).__name__}: {error}".removesuffix(": ")) from error
        raise SourceUnavailable(aim.host, problem)

    async def _bases(self, host: str) -> list[str]:
        """Where to connect to, as beginnings of URLs. Raises SourceRefused, SourceUnavailable."""
        if (local := local_base(host)) is not None:
            return [local]
        try:
            addresses = await _in_thread(self._resolve, host)
        except (OSError, UnicodeError) as error:
            raise SourceUnavailable(host, f"the name cannot be looked up: {error}") from error
        for address in addresses:
            if (why := refusal(address)) is not None:
                raise SourceRefused(host, f"its address {address} is not public ({why})")
        return [
            f"https://[{address}]" if ":" in address else f"https://{address}"
            for address in addresses[:ADDRESSES_TRIED]
        ]

    async def _ask_at(self, base: str, aim: Target, request: OutboundRequest) -> OutboundAnswer:
        # A small compressed body could unpack to any size, so only uncompressed ones are accepted.
        headers = {**(request.headers or {}), "host": aim.host, "accept-encoding": "identity"}
        pinned = self._http.build_request(
            request.method,
            base + aim.path,
            headers=headers,
            content=request.body,
            timeout=request.seconds,
            extensions={"sni_hostname": aim.host},
        )
        response = await self._http.send(pinned, stream=True)
        try:
            body = await _body(response, aim.host, request.most_bytes)
        finally:
            await response.aclose()
        named = {name.lower(): value for name, value in response.headers.items()}
        return OutboundAnswer(status=response.status_code, headers=named, body=body, url=aim.url)


async def _body(response: httpx.Response, host: str, most_bytes: int) -> bytes:
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise SourceMalformed(host, "expected an uncompressed answer", field="content-encoding")
    announced = response.headers.get("content-length", "")
    body = bytearray()
    if not (announced.isascii() and announced.isdigit() and len(announced) < 16 and int(announced) > most_bytes):
        async for part in response.aiter_raw():
            body += part
            if len(body) > most_bytes:
                break
        else:
            return bytes(body)
    raise SourceMalformed(host, f"answered more than {most_bytes} bytes", field="body")


async def _in_thread(resolve: Resolve, name: str) -> Sequence[str]:
    """`resolve(name)` in a thread of its own. A look-up cannot be stopped, and an executor's end would wait for it."""
    found: Future[Sequence[str]] = Future()

    def look_up() -> None:
        try:
            addresses = resolve(name)
        except Exception as error:  # noqa: BLE001 - handed to the task that waits
            outcome = partial(found.set_exception, error)
        else:
            outcome = partial(found.set_result, addresses)
        if found.set_running_or_notify_cancel():
            outcome()

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    return await asyncio.wrap_future(found)
