"""An operator's orders over HTTP. Without a configured ADMIN_TOKEN they do not exist."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from coliseum.arena.api.admin.actions import AgentCommand, Operator
from coliseum.arena.api.admin.answers import AgentStatusAnswer, OpenedAnswer, RedriveAnswer
from coliseum.arena.api.routes import AgentPath
from coliseum.http.paging import PROBLEMS
from coliseum.http.routes import PREFIX, settings_of
from coliseum.observability import logger

_bearer = HTTPBearer(scheme_name="operator", auto_error=False)


def operator_only(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    """404 where there is no token to know, 401 for everybody who does not know it."""
    token = settings_of(request).admin_token
    if token is None:
        raise HTTPException(404)
    offered = b"" if given is None else given.credentials.encode("latin-1", "replace")
    if not hmac.compare_digest(offered, token.get_secret_value().encode()):
        raise HTTPException(401, "The operator's token is needed.", {"WWW-Authenticate": "Bearer"})


def operator_of(request: Request) -> Operator:
    operator: Operator = request.app.state.operator
    return operator


router = APIRouter(
    prefix=f"{PREFIX}/arena", tags=["arena operation"], responses=PROBLEMS, dependencies=[Depends(operator_only)]
)
Ours = Annotated[Operator, Depends(operator_of)]


@router.post("/rounds", summary="Open a round now")
def open_round(request: Request, ours: Ours) -> OpenedAnswer:
    """Of the present slot of the clock, which has one round however often this is called."""
    answer = ours.open_round()
    _audit(request, "open_round", round_id=answer.round_id, new=answer.new)
    return answer


@router.post("/agents/{agent_id}/{order}", summary="Pause, resume or retire a contestant")
def command(
    request: Request,
    ours: Ours,
    agent_id: AgentPath,
    order: Annotated[AgentCommand, Path(description="A paused agent is asked nothing new; a retired one never again.")],
) -> AgentStatusAnswer:
    """Counts from the next round on; questions already handed out are answered."""
    answer = ours.command(agent_id, order)
    _audit(request, order, agent_id=agent_id, status=answer.status, changed=answer.changed)
    return answer


@router.post("/redrive", summary="Hand out unanswered questions again")
def redrive(request: Request, ours: Ours) -> RedriveAnswer:
    """Of the open rounds: those that wait, and those whose worker has died. A question is answered once, however
    often it is on the queue."""
    answer = ours.redrive()
    _audit(request, "redrive", handed_out=answer.handed_out)
    return answer


def _audit(request: Request, order: str, **subject: object) -> None:
    """Who gave the order is known by the token alone, which is never written down."""
    extra = {"order": order, "correlation_id": request.state.correlation_id, **subject}
    logger().info("operator's order", extra=extra)
