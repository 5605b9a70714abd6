"""The HTTP route of the MCP server: streamable HTTP without state. Only the function `mcp` imports this file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from mcp.server.mcpserver import MCPServer

from coliseum.arena.api.entry.mcp_server import McpResponse
from coliseum.arena.api.entry.routes import EntrantsDependency, EntryRoute, entry_only
from coliseum.arena.entry.entrants import Entrant
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX, settings_of
from coliseum.http.strict_body import MAX_BODY_BYTES
from coliseum.http.strict_query import known_parameters_only

_bearer = HTTPBearer(scheme_name="outside agent", auto_error=False)


def known_origin(request: Request) -> None:
    """Raises HTTPException 403 for a browser page of an origin that may not call (DNS rebinding among others)."""
    origin, allowed = request.headers.get("Origin"), settings_of(request).cors_allow_origins
    if origin is not None and origin not in allowed and "*" not in allowed:
        raise HTTPException(403, "Pages of this origin may not call: it is not in CORS_ALLOW_ORIGINS.")


def caller_of(
    entrants: EntrantsDependency, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Entrant | None:
    """The caller; None without a token, because clients look at the tools before they have one. Raises NotPermitted."""
    return None if credentials is None else entrants.authorize(credentials.credentials)


router = APIRouter(
    prefix=f"{PREFIX}/arena",
    tags=["arena entry"],
    responses=PROBLEMS,
    dependencies=[Depends(entry_only), Depends(known_parameters_only), Depends(known_origin)],
    route_class=EntryRoute,
)


@router.post("/mcp", summary="The arena as an MCP server", response_class=Response)
async def answer(request: Request, caller: Annotated[Entrant | None, Depends(caller_of)]) -> Response:
    """Streamable HTTP without state: each POST is answered with JSON. Tools: arena_questions, arena_context,
    arena_submit, arena_score."""
    server: MCPServer[Any] = request.app.state.mcp_server
    return McpResponse(server, caller, request.receive, most_bytes=MAX_BODY_BYTES)
