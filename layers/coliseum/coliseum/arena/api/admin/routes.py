"""HTTP routes for admin actions. Without the setting ADMIN_TOKEN every one of them answers 404."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from coliseum.arena.api.admin.actions import AgentCommand, Operator
from coliseum.arena.api.admin.answers import AgentStatusAnswer, OpenedAnswer, RedriveAnswer
from coliseum.arena.api.claims.answers import ClaimRequest, RegisteredAnswer
from coliseum.arena.api.routes import AgentPath
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX, settings_of
from coliseum.http.strict_body import StrictBodyRoute
from coliseum.http.strict_query import known_parameters_only
from coliseum.observability import logger

_bearer = HTTPBearer(scheme_name="operator", auto_error=False)


def check_operator(request: Request) -> None:
    """Raises HTTPException 404 if no token is set, 401 if the caller sent another one or none."""
    token = settings_of(request).admin_token
    if token is None:
        raise HTTPException(404)
    scheme, credentials = get_authorization_scheme_param(request.headers.get("Authorization"))
    # Servers decode headers as Latin-1, so this gives the bytes that the caller sent.
    offered = credentials.encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
    if not hmac.compare_digest(offered, token.get_secret_value().encode()):
        raise HTTPException(401, "The operator's token is needed.", {"WWW-Authenticate": "Bearer"})


def operator_only(
    request: Request, documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """`check_operator` as a dependency, so that the document says that the route needs the token."""
    del documented
    check_operator(request)


class OperatorRoute(StrictBodyRoute):
    """A route of the operator. Others learn nothing about its body or parameters."""

    gates = (check_operator,)


def operator_of(request: Request) -> Operator:
    operator: Operator = request.app.state.operator
    return operator


router = APIRouter(
    prefix=f"{PREFIX}/arena",
    tags=["arena operation"],
    responses=PROBLEMS,
    dependencies=[Depends(operator_only), Depends(known_parameters_only)],
    route_class=OperatorRoute,
)
OperatorDependency = Annotated[Operator, Depends(operator_of)]


@router.post("/rounds", summary="Open a round now")
def open_round(request: Request, operator: OperatorDependency) -> OpenedAnswer:
    """Opens the round of the present slot. A slot has one round, however often this is called."""
    answer = operator.open_round()
    _audit(request, "open_round", round_id=answer.round_id, new=answer.new)
    return answer


@router.post("/agents/{agent_id}/{order}", summary="Pause, resume or retire a contestant")
def command(
    request: Request,
    operator: OperatorDependency,
    agent_id: AgentPath,
    order: Annotated[
        AgentCommand,
        Path(description="A paused agent gets no new questions. A retired agent never gets questions again."),
    ],
) -> AgentStatusAnswer:
    """Takes effect with the next round. Questions that are already handed out are still answered."""
    answer = operator.command(agent_id, order)
    _audit(request, order, agent_id=agent_id, status=answer.status, changed=answer.changed)
    return answer


@router.post("/claims", summary="Register a claim about an agent", status_code=201)
def register_claim(request: Request, operator: OperatorDependency, claim: ClaimRequest) -> RegisteredAnswer:
    """Seals the claim and makes it public at once. It can never be changed or withdrawn, and only events that are first
    asked after this moment count. The same claim again changes nothing."""
    answer = operator.register_claim(claim)
    _audit(request, "register_claim", claim_id=answer.claim_id, new=answer.new)
    return answer


@router.post("/redrive", summary="Hand out unanswered questions again")
def redrive(request: Request, operator: OperatorDependency) -> RedriveAnswer:
    """Hands out the questions of open rounds that wait or whose worker has died. A question is answered once, however
    often it is on the queue."""
    answer = operator.redrive()
    _audit(request, "redrive", handed_out=answer.handed_out)
    return answer


def _audit(request: Request, command: str, **subject: Any) -> None:
    """Log the admin action. The caller is known by the token alone, which must not be logged."""
    logger().info("admin command", command=command, correlation_id=request.state.correlation_id, **subject)
