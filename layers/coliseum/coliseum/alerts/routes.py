"""Alerts over HTTP: everybody may read the history, the operator acknowledges and mutes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from coliseum.alerts.answers import AcknowledgedAnswer, AlertsAnswer, MutedAnswer, MuteRequest
from coliseum.alerts.history import AlertHistory
from coliseum.alerts.rules import RuleName
from coliseum.http.field_types import seconds_from
from coliseum.http.operator import OperatorRoute, operator_only
from coliseum.http.paging import Cursor, Limit
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX
from coliseum.http.strict_query import known_parameters_only
from coliseum.observability import logger

router = APIRouter(prefix=f"{PREFIX}/alerts", tags=["alerts"], responses=PROBLEMS)
orders = APIRouter(
    prefix=f"{PREFIX}/alerts",
    tags=["alerts"],
    responses=PROBLEMS,
    dependencies=[Depends(operator_only), Depends(known_parameters_only)],
    route_class=OperatorRoute,
)


def history_of(request: Request) -> AlertHistory:
    history: AlertHistory = request.app.state.alert_history
    return history


History = Annotated[AlertHistory, Depends(history_of)]
AlertPath = Annotated[
    str,
    Path(
        pattern=r"^[a-z_]{1,40}:[A-Za-z0-9._-]{1,80}:[0-9]{1,12}$",
        description="The alert's id.",
        examples=["bot_offline:all:1796000000"],
    ),
]


@router.get("", summary="Alerts")
def alerts(
    history: History,
    limit: Limit = 100,
    cursor: Cursor = None,
    rule: Annotated[RuleName | None, Query(description="Only this rule.")] = None,
    since: Annotated[
        str | None, Query(max_length=64, description="Raised from then on: RFC 3339 with its zone, or unix seconds.")
    ] = None,
) -> AlertsAnswer:
    """What was raised, newest first, and for each service whether it was told. Kept for 180 days."""
    return history.page(
        limit=limit,
        cursor=cursor,
        rule=rule,
        since=None if since is None else seconds_from(since, field="since"),
    )


@orders.post("/{alert_id}/acknowledge", summary="Acknowledge an alert")
def acknowledge(history: History, alert_id: AlertPath) -> AcknowledgedAnswer:
    """A critical alert is then not repeated. Its end is still told. May be sent again."""
    answer = history.acknowledge(alert_id)
    logger().info("alert acknowledged", alert=alert_id)
    return answer


@orders.post("/mute", summary="Mute a rule")
def mute(history: History, wish: MuteRequest) -> MutedAnswer:
    """Alerts that are raised meanwhile are in the history and on the streams, and no service is told of them."""
    answer = history.mute(wish.rule, hours=wish.hours)
    logger().info("alerts muted", rule=answer.rule, hours=wish.hours)
    return answer
