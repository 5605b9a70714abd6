"""The HTTP route of the MCP server: streamable HTTP without state. Only the function `mcp` imports this file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from mcp.server.mcpserver import MCPServer

from coliseum.arena.api.entry.mcp_server import Caller, McpResponse
from coliseum.arena.api.entry.routes import EntrantsDependency, EntryRoute, entry_only
from coliseum.errors import ColiseumError, NotPermitted
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX, settings_of
from coliseum.http.strict_body import MAX_BODY_BYTES
from coliseum.http.strict_query import known_parameters_only
from coliseum.json_objects import strict_json

_bearer = HTTPBearer(scheme_name="outside agent", auto_error=False)


def known_origin(request: Request) -> None:
    """Raises HTTPException 403 for a browser page of an origin that may not call (DNS rebinding among others)."""
    origin, allowed = request.headers.get("Origin"), settings_of(request).cors_allow_origins
    if origin is not None and origin not in allowed and "*" not in allowed:
        raise HTTPException(403, "Pages of this origin may not call: it is not in CORS_ALLOW_ORIGINS.")


async def caller_of(
    request: Request,
    entrants: EntrantsDependency,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The caller of a tool, or why it may not call; None without a token and for a message that calls no tool.

    Clients greet the server and list its tools in each session, so that only the call of a tool counts against the
    limit. A refusal is the tool's answer, because to clients a bare HTTP error is the end of the session. Raises
    NotPermitted 401 for a wrong token, with any message: that is what makes a client ask for another one.
    """
    if credentials is None:
        return None
    calls = await _calls_a_tool(request)
    try:
        entrant = await run_in_threadpool(entrants.authorize, credentials.credentials, cost=1 if calls else 0)
    except ColiseumError as error:
        if isinstance(error, NotPermitted) and error.status == 401:
            raise
        return error
    return entrant if calls else None


async def _calls_a_tool(request: Request) -> bool:
    """Whether the message is a call of a tool. `EntryRoute` has checked that the body is JSON or empty."""
    body = await request.body()
    message = strict_json(body) if body else None
    return isinstance(message, dict) and message.get("method") == "tools/call"


router = APIRouter(
    prefix=f"{PREFIX}/arena",
    tags=["arena entry"],
    responses=PROBLEMS,
    dependencies=[Depends(entry_only), Depends(known_parameters_only), Depends(known_origin)],
    route_class=EntryRoute,
)


@router.post("/mcp", summary="The arena as an MCP server", response_class=Response)
async def answer(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Response:
    """Streamable HTTP without state: each POST is answered with JSON. Tools: arena_questions, arena_context,
    arena_submit, arena_score."""
    server: MCPServer[Any] = request.app.state.mcp_server
    return McpResponse(server, caller, request.receive, most_bytes=MAX_BODY_BYTES)
