"""The HTTP transport to OpenRouter: what comes back is limited, redacted and made readable before a library sees it.

So a secret that a provider echoes reaches no exception, span, log or row, whichever library makes them.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from coliseum.llm.completions import readable_completion
from coliseum.llm.redaction import Redactor

LARGEST_REPLY = 1_000_000
"""Bytes. A reply has about 10,000."""
LEFT_OUT = frozenset({"content-encoding", "content-length", "transfer-encoding", "set-cookie"})
"""Headers that no longer describe the body, and cookies, which would be sent back."""
wire_repairs: ContextVar[list[str] | None] = ContextVar("wire_repairs", default=None)
"""The caller's list; it gets what was repaired in the last reply."""


class ReplyTransport(httpx2.AsyncBaseTransport):
    """Reads each reply whole, and returns it redacted and readable."""

    def __init__(self, redactor: Redactor, inner: httpx2.AsyncBaseTransport) -> None:
        self._redactor = redactor
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.TransportError, redacted, without an answer or with one of more than LARGEST_REPLY bytes."""
        try:
            response = await self._inner.handle_async_request(request)
            try:
                content = await _read(response)
            finally:
                await response.aclose()
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            # The message can quote what the server sent instead of HTTP, and so can the errors behind it.
            problem = type(error)(self._redactor.text(str(error)), request=request)
        else:
            return self._cleaned(response, content, request)
        raise problem

    def _cleaned(self, response: httpx2.Response, content: bytes, request: httpx2.Request) -> httpx2.Response:
        text = content.decode(errors="replace")
        repairs: tuple[str, ...] = ()
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            text = self._redactor.text(text)
        else:
            document, repairs = readable_completion(self._redactor.value(document))
            # Once more as a whole, because pieces of a secret can be in neighbouring texts.
            text = self._redactor.text(json.dumps(document))
        noted = wire_repairs.get()
        if noted is not None:
            noted[:] = repairs
        headers = [
            (name, self._redactor.text(value))
            for name, value in response.headers.multi_items()
            if name.lower() not in LEFT_OUT and self._redactor.text(name) == name
        ]
        # Without the extensions, which hold the server's own words for the status.
        return httpx2.Response(response.status_code, headers=headers, content=text.encode(), request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _read(response: httpx2.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > LARGEST_REPLY:
            raise httpx2.ReadError(f"the reply has more than {LARGEST_REPLY} bytes")
    return bytes(content)


def reply_transport(redactor: Redactor, *, base_url: str, limits: Any = None) -> ReplyTransport:
    """A transport to the server at `base_url`, through the proxy that the environment names for it."""
    # Its debug messages hold the headers of replies as the server sent them.
    logging.getLogger("httpcore2").setLevel(logging.INFO)
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    proxy = None if proxy_bypass(host) else getproxies().get(parts.scheme)
    return ReplyTransport(redactor, httpx2.AsyncHTTPTransport(proxy=proxy, limits=limits or httpx2.Limits()))
