"""The JSON Schemas of what a bot answers, over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from coliseum.bot.schemas import SCHEMAS
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

MEDIA_TYPE = "application/schema+json"
router = APIRouter(prefix=f"{PREFIX}/schemas", tags=["utility"], responses=PROBLEMS)
SchemaName = Literal["bot-health.json", "bot-status.json", "bot-trades.json"]


class SchemaItem(BaseModel):
    """One schema."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(examples=["bot-trades"])
    title: str
    url: str = Field(examples=[f"{PREFIX}/schemas/bot-trades.json"])


class SchemaList(BaseModel):
    """All schemas. docs/bot.md says how to use them."""

    model_config = ConfigDict(frozen=True)

    items: list[SchemaItem]
    count: int


@router.get("", summary="JSON Schemas of a bot's answers")
def schemas() -> SchemaList:
    """What Coliseum expects of a bot's `/health`, `/status` and `/trades`."""
    items = [
        SchemaItem(name=name, title=schema["title"], url=f"{router.prefix}/{name}.json")
        for name, schema in SCHEMAS.items()
    ]
    return SchemaList(items=items, count=len(items))


@router.get(
    "/{name}",
    summary="One JSON Schema",
    response_class=JSONResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}},
)
def one_schema(name: SchemaName) -> JSONResponse:
    """The schema, in the dialect of 2020-12."""
    schema: dict[str, Any] = {"$id": f"{router.prefix}/{name}", **SCHEMAS[name.removesuffix(".json")]}
    return JSONResponse(schema, media_type=MEDIA_TYPE, headers={"cache-control": "public, max-age=3600"})
