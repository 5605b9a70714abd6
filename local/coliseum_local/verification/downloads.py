"""Reads exports from an address, page by page. Nothing that the address sends is trusted.

Sizes, pages and times are bounded, no token is sent, and no other host is called: a redirect is followed only to the
same host.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from coliseum_local.verification.rows import UnreadableSource, json_from

PAGE_ROWS = 1000
MOST_PAGE_BYTES = 32 * 1024 * 1024
MOST_BYTES = 4 * 1024**3
"""Of one export."""
MOST_PAGES = 100_000
MOST_REDIRECTS = 3
ATTEMPTS = 3
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
MOST_PAGE_SECONDS = 180.0
"""For one page, however slowly its bytes come."""
LONGEST_PAUSE = 10.0
_NEXT = re.compile(r'<([^<>]+)>; rel="next"')
_RETRIED = frozenset({429, 502, 503, 504})
API_PREFIX = "/api/python"


@dataclass(frozen=True, slots=True)
class DownloadedPage:
    """One answer: its bytes and headers."""

    url: str
    content: bytes
    headers: Mapping[str, str]


class Downloads:
    """GET requests to one deployment."""

    def __init__(self, address: str, *, transport: httpx.BaseTransport | None = None) -> None:
        """`address` is any address of the deployment. Raises UnreadableSource if it is none."""
        self.prefix = api_address(address)
        self._host = _host(self.prefix)
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False, transport=transport, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def json(self, url: str) -> Mapping[str, Any]:
        """A JSON object. Raises UnreadableSource."""
        try:
            value = json_from(self.page(url).content)
        except (ValueError, RecursionError) as error:
            raise UnreadableSource(f"{url}: not JSON: {error}") from None
        if not isinstance(value, dict):
            raise UnreadableSource(f"{url}: not a JSON object")
        return value

    def export_pages(
        self, name: str, form: str, filters: Mapping[str, str], *, rows: int = PAGE_ROWS
    ) -> Iterator[DownloadedPage]:
        """All pages of an export. Raises UnreadableSource if one of them cannot be had."""
        url: str | None = f"{self.prefix}/arena/exports/{name}.{form}?{urlencode({**filters, 'limit': rows})}"
        path, total, seen = f"{urlsplit(self.prefix).path}/arena/exports/{name}.{form}", 0, set[str]()
        while url is not None:
            if url in seen or len(seen) == MOST_PAGES:
                raise UnreadableSource(f"{url}: the pages of {name} do not end")
            seen.add(url)
            page = self.page(url)
            total += len(page.content)
            if total > MOST_BYTES:
                raise UnreadableSource(f"{name} is larger than {MOST_BYTES:,} bytes")
            yield page
            url = self._following(page, path)

    def page(self, url: str) -> DownloadedPage:
        """An answer with status 200. Busy and unreachable servers are asked again. Raises UnreadableSource."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status, page = self._get(url)
            except httpx.HTTPError as error:
                problem, pause = f"{type(error).__name__}: {error}".rstrip(": "), float(attempt)
            else:
                if status == 200:
                    return page
                problem, pause = f"HTTP {status}{_detail(page)}", _pause(page, attempt)
                if status not in _RETRIED:
                    break
            if attempt < ATTEMPTS:
                time.sleep(pause)
        raise UnreadableSource(f"{url}: {problem}")

    def _get(self, url: str) -> tuple[int, DownloadedPage]:
        for _ in range(MOST_REDIRECTS + 1):
            self._check_host(url)
            with self._http.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers.get("location", ""))
                    continue
                return response.status_code, DownloadedPage(url, _content(response, url), response.headers)
        raise UnreadableSource(f"{url}: more than {MOST_REDIRECTS} redirects")

    def _following(self, page: DownloadedPage, path: str) -> str | None:
        link = page.headers.get("link")
        if link is None:
            return None
        found = _NEXT.search(link)
        following = None if found is None else urljoin(page.url, str(found[1]))
        if following is None or urlsplit(following).path != path:
            raise UnreadableSource(f"{page.url}: its Link header leads elsewhere: {link[:200]}")
        return following

    def _check_host(self, url: str) -> None:
        if _host(url) != self._host:
            raise UnreadableSource(f"{url[:200]}: another host than {self._host}, which was asked")


def api_address(address: str) -> str:
    """The address of the API: `https://host` and every address below its `/api/python` give `https://host/api/python`.

    Raises UnreadableSource for something else.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise UnreadableSource(f"{address}: not an address such as http://127.0.0.1:8000")
    before, found, _ = parts.path.partition(API_PREFIX)
    return f"{parts.scheme}://{parts.netloc}{before if found else parts.path.rstrip('/')}{API_PREFIX}"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        raise UnreadableSource(f"{url[:200]}: not an address") from None
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _content(response: httpx.Response, url: str) -> bytes:
    """The bytes of an answer, bounded in size and time. The size is that of the content after decompression.

    It is unpacked here, because httpx takes a packed answer that ends too early for a whole one. Raises DecodingError
    for such an answer, so that it is asked for again.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise UnreadableSource(f"{url}: the answer is packed with {encoding[:40]}, and gzip was asked for")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None
    content, until = bytearray(), time.monotonic() + MOST_PAGE_SECONDS
    try:
        for part in response.iter_raw(65_536):
            content += part if unpacker is None else unpacker.decompress(part, MOST_PAGE_BYTES + 1 - len(content))
            if len(content) > MOST_PAGE_BYTES:
                raise UnreadableSource(f"{url}: the answer is larger than {MOST_PAGE_BYTES:,} bytes")
            if time.monotonic() > until:
                raise UnreadableSource(f"{url}: the answer took longer than {MOST_PAGE_SECONDS:g} s")
    except zlib.error as error:
        raise httpx.DecodingError(f"not gzip: {error}") from None
    if unpacker is not None and not unpacker.eof:
        raise httpx.DecodingError("the packed answer ends too early")
    return bytes(content)


def _detail(page: DownloadedPage) -> str:
    """What a problem document says."""
    try:
        detail = json_from(page.content).get("detail")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return f": {detail[:300]}" if isinstance(detail, str) else ""


def _pause(page: DownloadedPage, attempt: int) -> float:
    try:
        return min(LONGEST_PAUSE, max(0.0, float(page.headers.get("retry-after", attempt))))
    except ValueError:
        return float(attempt)
