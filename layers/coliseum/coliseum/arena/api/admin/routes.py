"""HTTP routes for admin actions. Without the setting ADMIN_TOKEN every one of them answers 404."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from coliseum.arena.api.admin.actions import AgentCommand, Operator
from coliseum.arena.api.admin.answers import AgentStatusAnswer, OpenedAnswer, RedriveAnswer
from coliseum.arena.api.claims.answers import ClaimRequest, RegisteredAnswer
from coliseum.arena.api.routes import AgentPath
from coliseum.http.operator import OperatorRoute, operator_only
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX
from coliseum.http.strict_query import known_parameters_only
from coliseum.observability import logger


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
