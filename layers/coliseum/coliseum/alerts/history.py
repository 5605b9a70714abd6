"""The history of alerts, and the operator's orders about them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from coliseum.alerts.answers import AcknowledgedAnswer, AlertData, AlertsAnswer, DeliveryData, MutedAnswer
from coliseum.alerts.rules import AlertSeverity, RuleName
from coliseum.cache.breaker import CircuitBreaker
from coliseum.errors import InvalidInput, NotFound, SourceMalformed
from coliseum.http.field_types import utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.store.client import Condition, Store
from coliseum.store.replies import SOURCE, parse_row

_COLUMNS = "alert_id,rule,subject,severity,is_event,text,raised_at,cleared_at,acknowledged_at"
_DELIVERY_COLUMNS = "alert_id,phase,service,status,attempts,due_at,sent_at,problem,number"
_KIND = "alerts"


class AlertHistory:
    """One per process."""

    def __init__(
        self,
        store: Callable[[], Store],
        breaker: CircuitBreaker,
        *,
        owner: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`store` connects on its first call. `owner` is the identity's label."""
        self._store, self._breaker, self._owner, self._clock = store, breaker, owner, clock

    def page(self, *, limit: int, cursor: str | None, rule: RuleName | None, since: float | None) -> AlertsAnswer:
        """One page, newest first. Raises InvalidInput for a foreign cursor, SourceError where Postgres fails."""
        filters = {"rule": None if rule is None else rule.value, "since": since}
        place = None if cursor is None else decode_cursor(_KIND, filters, cursor)
        where: list[Condition] = [("owner", "eq", self._owner)]
        if rule is not None:
            where.append(("rule", "eq", rule.value))
        if since is not None:
            where.append(("raised_at", "gte", utc_from(since)))
        after = None if place is None else _place(place, cursor)
        rows = self._breaker.call(SOURCE, lambda: self._rows(where, after, limit + 1))
        more = len(rows) > limit
        rows = rows[:limit]
        deliveries = self._breaker.call(SOURCE, lambda: self._deliveries([str(row["alert_id"]) for row in rows]))
        items = [parse_row("alerts", lambda row: _alert(row, deliveries[str(row["alert_id"])]), row) for row in rows]
        last = {"at": rows[-1]["raised_at"], "id": rows[-1]["alert_id"]} if more else None
        return AlertsAnswer(
            items=items,
            count=len(items),
            next_cursor=None if last is None else encode_cursor(_KIND, filters, last),
            source=SOURCE,
            as_of=utc_from(self._clock()),
            stale=False,
            age_seconds=0.0,
        )

    def acknowledge(self, alert_id: str) -> AcknowledgedAnswer:
        """May be called again. Raises NotFound for an id that is not in the history."""
        arguments = {"p_owner": self._owner, "p_id": alert_id}
        answer = self._breaker.call(SOURCE, lambda: self._store().rpc("alerts_acknowledge", arguments))
        if not answer:
            raise NotFound("alert", alert_id)
        return parse_row("alerts_acknowledge", lambda row: AcknowledgedAnswer(**row), answer)

    def mute(self, rule: str, *, hours: float) -> MutedAnswer:
        """Send nothing about the rule, or * for all, for at most seven days from now; 0 hours end a mute."""
        arguments = {"p_owner": self._owner, "p_rule": rule, "p_seconds": int(hours * 3600)}
        answer = self._breaker.call(SOURCE, lambda: self._store().rpc("alerts_mute", arguments))
        if not isinstance(answer, dict):
            raise SourceMalformed(SOURCE, f"alerts_mute: expected an object, got {str(answer)[:80]!r}", field="mute")
        return parse_row("alerts_mute", lambda row: MutedAnswer(**row), answer)

    def _rows(self, where: Sequence[Condition], after: tuple[str, str] | None, limit: int) -> list[dict[str, Any]]:
        """The store joins conditions by AND only: first the rest of the same moment, then the moments before it."""
        order = ("raised_at.desc", "alert_id.desc")
        if after is None:
            return self._store().select("alerts", _COLUMNS, where=where, order=order, limit=limit)
        moment, alert_id = after
        same: list[Condition] = [*where, ("raised_at", "eq", moment), ("alert_id", "lt", alert_id)]
        rows = self._store().select("alerts", _COLUMNS, where=same, order=order, limit=limit)
        if len(rows) == limit:
            return rows
        earlier: list[Condition] = [*where, ("raised_at", "lt", moment)]
        return rows + self._store().select("alerts", _COLUMNS, where=earlier, order=order, limit=limit - len(rows))

    def _deliveries(self, alert_ids: Sequence[str]) -> defaultdict[str, list[DeliveryData]]:
        found: defaultdict[str, list[DeliveryData]] = defaultdict(list)
        if alert_ids:
            where: list[Condition] = [("owner", "eq", self._owner), ("alert_id", "in", list(alert_ids))]
            rows = self._store().select("alert_deliveries", _DELIVERY_COLUMNS, where=where, limit=None)
            for row in sorted(rows, key=lambda row: int(row["number"])):
                found[str(row["alert_id"])].append(parse_row("alert_deliveries", _delivery, row))
        return found


def _place(place: Mapping[str, Any], cursor: str | None) -> tuple[str, str]:
    try:
        moment, alert_id = str(place["at"]), str(place["id"])
        if datetime.fromisoformat(moment).tzinfo is not None:
            return moment, alert_id
    except (KeyError, ValueError):
        pass
    raise InvalidInput("cursor", cursor, "`next_cursor` of the page before, with the same filters")


def _alert(row: Mapping[str, Any], deliveries: list[DeliveryData]) -> AlertData:
    state = "event" if row["is_event"] else "firing" if row["cleared_at"] is None else "cleared"
    return AlertData(
        id=row["alert_id"],
        rule=row["rule"],
        subject=row["subject"],
        severity=AlertSeverity(row["severity"]),
        state=state,
        text=row["text"],
        raised_at=row["raised_at"],
        cleared_at=row["cleared_at"],
        acknowledged_at=row["acknowledged_at"],
        deliveries=deliveries,
    )


def _delivery(row: Mapping[str, Any]) -> DeliveryData:
    return DeliveryData(
        service=row["service"],
        phase=row["phase"],
        status=row["status"],
        attempts=row["attempts"],
        sent_at=row["sent_at"],
        next_attempt_at=row["due_at"] if row["status"] == "waiting" else None,
        problem=row["problem"],
    )
