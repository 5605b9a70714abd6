"""The routes of the documentation: the merged OpenAPI document and Swagger UI."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from coliseum.http.routes import PREFIX

router = APIRouter(include_in_schema=False)


@cache
def merged_document() -> dict[str, Any]:
    """The OpenAPI document of all functions, read from the package's `openapi.json`."""
    document: dict[str, Any] = json.loads(files("coliseum.http").joinpath("openapi.json").read_text())
    return document


@router.get(f"{PREFIX}/openapi.json")
def openapi_document() -> JSONResponse:
    return JSONResponse(merged_document())


@router.get(f"{PREFIX}/docs")
def swagger_ui(request: Request) -> HTMLResponse:
    """The page loads its scripts from a CDN."""
    return get_swagger_ui_html(openapi_url=f"{PREFIX}/openapi.json", title=f"{request.app.title} - Swagger UI")


@router.get("/docs")
@router.get("/openapi.json")
def redirect_to_prefix(request: Request) -> RedirectResponse:
    return RedirectResponse(PREFIX + request.scope["path"])
