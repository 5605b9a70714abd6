"""Builds the FastAPI apps: correlation ids, CORS, problem details, the merged OpenAPI document, Swagger UI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from starlette.exceptions import HTTPException

from coliseum import __version__
from coliseum.config import Settings
from coliseum.errors import ColiseumError
from coliseum.http import documents
from coliseum.http.correlation import CorrelationMiddleware
from coliseum.http.correlation_ids import HEADER
from coliseum.http.problems import INVALID_PARAMETERS, MEDIA_TYPE, ProblemResponse, problem_from, problem_from_status
from coliseum.http.routes import PREFIX
from coliseum.http.strict_query import known_parameters_only
from coliseum.observability import logger, metrics

MCP_HEADERS = ("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id")
"""Headers of MCP clients, some of which run in browsers."""
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def create_app(*, title: str, routers: Sequence[APIRouter], settings: Settings) -> FastAPI:
    """An app with the routes of these routers. Like every function it serves the documentation of all routes.

    Routers have complete paths. The files of Swagger UI come from a CDN. `state.resources` is closed when the server
    stops; on Lambda that never happens, because Lambda does not announce the end of a container.
    """
    app = FastAPI(
        title=title,
        version=__version__,
        openapi_url=None,  # the routes of the documentation are ours: `documents`
        lifespan=_close_resources_at_end,
        redirect_slashes=False,  # behind CloudFront a redirect would name the wrong host
    )
    app.openapi = documents.merged_document  # type: ignore[method-assign]  # FastAPI's documented way to replace it
    app.state.settings = settings
    app.state.resources = ExitStack()
    for router in (*routers, documents.router):
        checked = any(each.dependency is known_parameters_only for each in router.dependencies)
        app.include_router(router, dependencies=[] if checked else [Depends(known_parameters_only)])
    app.add_exception_handler(ColiseumError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_parameters)
    app.add_exception_handler(HTTPException, _answer_http_status)
    app.add_middleware(CorrelationMiddleware)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_allow_origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Cache-Control", HEADER, *MCP_HEADERS],
        expose_headers=[HEADER, "Retry-After", "Content-Disposition", "Link", "WWW-Authenticate"],
        max_age=600,
    )
    return app


def lambda_handler(app: FastAPI) -> Handler:
    """The app as a Lambda handler for API Gateway's HTTP API events. It flushes the metrics after each answer."""
    text_types = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE]

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        with asyncio.Runner() as runner:
            runner.get_loop()  # Mangum uses the thread's event loop, and warns where there is none
            answer = Mangum(app, lifespan="off", text_mime_types=text_types)(event, context)
        if metrics().metric_set:
            metrics().flush_metrics()
        return answer

    return handler


@asynccontextmanager
async def _close_resources_at_end(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.resources.close()


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    correlation_id = _correlation_id(request)
    problem = problem_from(error, path=request.scope["path"], correlation_id=correlation_id)
    if problem.status >= 500:
        logger().warning(
            "request failed", problem=problem.kind.slug, detail=problem.detail, correlation_id=correlation_id
        )
    return _response(problem)


async def _answer_invalid_parameters(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(part) for part in item["loc"][1:]), "in": item["loc"][0], "message": item["msg"]}
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['field'] or item['in']}: {item['message']}" for item in errors)
    problem = ProblemResponse(
        INVALID_PARAMETERS, detail, request.scope["path"], _correlation_id(request), {"errors": errors}
    )
    return _response(problem)


async def _answer_http_status(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    problem = problem_from_status(
        error.status_code,
        _detail(error, request),
        path=request.scope["path"],
        correlation_id=_correlation_id(request),
    )
    return _response(problem, error.headers or {})


def _detail(error: HTTPException, request: Request) -> str:
    if error.status_code == 404:
        return f"There is no {request.scope['path']} here; {PREFIX}/docs lists what there is."
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{request.method} is not possible on {request.scope['path']}; {allowed} is."
    return error.detail


def _response(problem: ProblemResponse, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.body(),
        status_code=problem.status,
        headers={**problem.headers(), **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def _correlation_id(request: Request) -> str:
    return str(request.state.correlation_id)
