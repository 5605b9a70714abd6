from __future__ import annotations

from tests.unit.alerts.test_outbox import row

from coliseum.alerts.outbox import Message
from coliseum.alerts.texts import digest_text, write


def test_a_message_has_a_title_a_sentence_and_its_id() -> None:
    written = write(Message("json-1", (row(1, alert="bot_offline:all:7", phase="cleared"),)))
    assert written.title == "Coliseum: Over: Bot offline"
    assert written.body.splitlines()[0] == "It closes."
    assert written.body.endswith("id bot_offline:all:7 (cleared)")


def test_a_summary_counts_and_lists_what_fits_into_the_shortest_limit() -> None:
    written = write(Message("json-1", tuple(row(number) for number in range(200))))
    assert written.title == "Coliseum: 200 more alerts"
    assert len(written.body) < 2000
    shown = written.body.count("[id ")
    assert f"... and {200 - shown} more: GET /api/python/alerts lists them." in written.body


def test_a_rule_of_a_later_release_is_shown_by_its_name() -> None:
    assert write(Message("json-1", (row(1, alert="moon_phase:all:7"),))).title == "Coliseum: moon_phase"


def test_a_digest_says_what_is_known() -> None:
    figures = {
        "equity": "1012.5",
        "equity_before": "1000",
        "realized": "3",
        "fees": "0.5",
        "trades": 7,
        "lost": 2,
        "model_cost": "0.1",
        "rounds": 4,
    }
    assert digest_text(figures) == (
        "Equity is $1012.50 (+12.50 in 24 hours, deposits included). Realized $3.00, fees $0.50, 7 trades. "
        "2 trades of the bot are lost. The arena opened 4 rounds, and its models cost $0.1000."
    )
    assert digest_text({}).startswith("Realized $0.00")
