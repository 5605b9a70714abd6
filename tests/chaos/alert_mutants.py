"""Deliberate breaks of the alerts."""

from __future__ import annotations

from tests.chaos.mutant import Mutant

ALERTS = "layers/coliseum/coliseum/alerts"
SQL = "supabase/migrations/20261203000400_alerts.sql"
WHOLE = ("tests/integration/test_alerts.py",)
OUTBOX = ("tests/unit/alerts/test_outbox.py",)

ALERT_MUTANTS = (
    Mutant("alerts: no fence", SQL, "if known.version is distinct from p_version then", "if false then", WHOLE),
    Mutant("alerts: attempts not counted", SQL, "set attempts = d.attempts + 1, due_at", "set due_at", WHOLE),
    Mutant(
        "alerts: an end without a beginning",
        SQL,
        "and r.status in ('undelivered', 'muted')",
        "and r.status in ('muted')",
        WHOLE,
    ),
    Mutant(
        "alerts: failures count as sent",
        f"{ALERTS}/sending.py",
        'status = "sent" if problem is None else "waiting"',
        'status = "sent"',
        WHOLE,
    ),
    Mutant(
        "alerts: dropped entries forgotten",
        f"{ALERTS}/log_reading.py",
        "entries += trimmed(place, until=step.to.seq)",
        "trimmed(place, until=step.to.seq)",
        WHOLE,
    ),
    Mutant(
        "alerts: ends before beginnings",
        f"{ALERTS}/outbox.py",
        "if due and begun and not",
        "if due and not",
        OUTBOX,
    ),
    Mutant("alerts: no flood limit", f"{ALERTS}/outbox.py", "if len(messages) <= room:", "if messages:", OUTBOX),
    Mutant(
        "alerts: quiet hours for critical ones",
        f"{ALERTS}/outbox.py",
        "quiet is None or severity is AlertSeverity.CRITICAL or service == LOG",
        "quiet is None or service == LOG",
        OUTBOX,
    ),
    Mutant(
        "alerts: old news of the bot",
        f"{ALERTS}/findings.py",
        "if silent or bot is None:",
        "if bot is None:",
        ("tests/unit/alerts/test_findings.py",),
    ),
    Mutant(
        "alerts: one limit only",
        f"{ALERTS}/states.py",
        "subject in finding.between and state.phase is AlertPhase.FIRING",
        "state.phase is None",
        ("tests/unit/alerts/test_states.py",),
    ),
    Mutant(
        "alerts: redirects followed",
        f"{ALERTS}/client.py",
        "http_redirects=False",
        "http_redirects=True",
        ("tests/unit/alerts/test_client.py",),
    ),
    Mutant(
        "alerts: proxies catch loopback",
        f"{ALERTS}/client.py",
        '",".join(dict.fromkeys([*names, *LOOPBACK]))',
        '",".join(names)',
        ("tests/unit/alerts/test_client.py",),
    ),
)
