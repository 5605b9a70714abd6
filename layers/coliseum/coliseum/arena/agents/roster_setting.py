"""The operator's roster: the setting ARENA_ROSTER. Without it the roster of the package plays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from coliseum.arena.agents.roster import Roster, parse, problems_of, roster, shipped_document
from coliseum.errors import ConfigurationError, InvalidInput, SourceRefused
from coliseum.json_objects import strict_json
from coliseum.outbound.client import Outbound, OutboundRequest

VARIABLE = "ARENA_ROSTER"
MOST_BYTES = 200_000
SECONDS = 10.0
_EXPECTED = 'a JSON document {"models": […]}, the path of such a file, or its https address'
Fetch = Callable[[str], bytes]
"""The body at an address. Raises SourceError and InvalidInput."""


def configured_roster(value: str | None, *, fetch: Fetch | None = None) -> Roster:
    """The roster of the setting. Parts that the document does not have are the package's.

    Raises ConfigurationError that lists everything wrong, and SourceError where an address does not answer.
    """
    return roster() if value is None else parse(configured_document(value, fetch=fetch))


def configured_document(value: str | None, *, fetch: Fetch | None = None) -> dict[str, Any]:
    """The checked document of the setting, with the package's parts where it has none of its own."""
    if value is None:
        return shipped_document()
    text = value.strip()
    body: str | bytes
    if text.startswith(("{", "[")):
        body = text
    elif text.startswith("https://"):
        body = (fetch or fetched)(text)
    else:
        body = _file(text)
    try:
        document = strict_json(body)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(VARIABLE, f"expected {_EXPECTED}: {error}") from None
    if not isinstance(document, Mapping):
        raise ConfigurationError(VARIABLE, f"expected {_EXPECTED}, got a {type(document).__name__}")
    whole = {**shipped_document(), **document}
    if problems := problems_of(whole):
        raise ConfigurationError(VARIABLE, "; ".join(problems))
    return whole


def fetched(url: str) -> bytes:
    """The body at a public https address."""

    async def ask() -> bytes:
        async with Outbound() as outbound:
            answer = await outbound.send(OutboundRequest(url=url, seconds=SECONDS, most_bytes=MOST_BYTES, redirects=2))
        if answer.status != 200:
            raise SourceRefused("roster", f"the address of {VARIABLE} answered {answer.status}", status=answer.status)
        return answer.body

    try:
        return asyncio.run(ask())
    except InvalidInput as error:
        raise ConfigurationError(VARIABLE, f"expected {_EXPECTED}: {error}") from None


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(VARIABLE, f"expected {_EXPECTED}; no file: {type(error).__name__}") from None
