"""The published OpenAPI document. Write it anew with `python tests/contract/test_rest_document.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import coliseum
from coliseum.arena.api import routes as arena
from coliseum.arena.api.accounts import routes as books
from coliseum.arena.api.admin import routes as operating
from coliseum.arena.api.leaderboards import routes as boards
from coliseum.http import routes as utility
from coliseum.http.document import document
from coliseum.markets import routes as markets
from coliseum.portfolio import routes as portfolio

PUBLISHED = Path(coliseum.__file__).parent / "http" / "openapi.json"


def merged() -> dict[str, Any]:
    rooms = (portfolio, markets, arena, boards, books, operating, utility)
    return document([room.router for room in rooms], version=coliseum.__version__)


def test_the_published_document_is_what_the_routers_say() -> None:
    assert json.loads(PUBLISHED.read_text()) == json.loads(json.dumps(merged())), __doc__


if __name__ == "__main__":
    PUBLISHED.write_text(json.dumps(merged(), indent=1, ensure_ascii=False) + "\n")
