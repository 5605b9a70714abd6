from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from coliseum.arena.claims import chain_after, check_registration, claim_from, claim_of_text, registered_claim
from coliseum.errors import InvalidInput

CLAIM: dict[str, Any] = {
    "agent": "luna",
    "direction": "above",
    "population": {"season": "2026Q4", "track": "blind"},
    "stopping": {"rule": "every_look"},
    "text": "it reads the weather",
}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The claim with one field set; `None` removes it."""
    result = deepcopy(CLAIM)
    *parents, name = path.split(".")
    place = result
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[name]
    else:
        place[name] = value
    return result


def test_a_claim_has_one_sealed_text_however_it_is_written() -> None:
    written = dict(reversed({**CLAIM, "metric": "skill", "against": "market", "threshold": 0}.items()))
    claim, other = claim_from(CLAIM), claim_from(written)
    assert claim.canonical == other.canonical
    assert claim.seal == hashlib.sha256(claim.canonical.encode()).hexdigest()
    assert claim.claim_id == claim.seal[:16]
    assert claim_of_text(claim.canonical) == claim


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("agent", "sol"), ("direction", "below"), ("threshold", 0.01), ("against", "sol"), ("text", "other words"),
        ("population.season", "2027Q1"), ("population.track", "aware"), ("population.slice", "category:Politics"),
        ("population.since", "2026-12-01T00:00:00Z"), ("stopping", {"rule": "clusters", "count": 50}),
        ("stopping", {"rule": "date", "at": "2027-01-01T00:00:00Z"}),
    ],
)  # fmt: skip
def test_every_field_is_under_the_seal(path: str, value: Any) -> None:
    assert claim_from(changed(path, value)).seal != claim_from(CLAIM).seal


def test_the_same_moment_in_another_zone_is_the_same_claim() -> None:
    berlin = timezone(timedelta(hours=1))
    texts = [
        "2027-01-01T00:00:00Z",
        "2027-01-01T01:00:00+01:00",
        datetime(2027, 1, 1, 1, tzinfo=berlin),
        date(2027, 1, 1),
    ]
    assert len({claim_from(changed("stopping", {"rule": "date", "at": at})).seal for at in texts}) == 1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("colour", "red", "claim: got 'colour', expected only the fields agent, metric"),
        ("population.colour", "red", "population: got 'colour', expected only the fields season, track, slice, since"),
        ("stopping.colour", "red", "stopping: got 'colour', expected only the fields rule, at, count"),
        ("agent", None, "expected the field agent"),
        ("direction", None, "expected the field direction"),
        ("stopping", None, "expected the field stopping"),
        ("agent", "", "agent: got ''"),
        ("agent", 7, "agent: got 7"),
        ("metric", "brier", "metric: got 'brier', expected \"skill\""),
        ("against", "luna", "an agent other than the one that the claim is about"),
        ("direction", "up", "direction: got 'up', expected one of above, below"),
        ("threshold", 1, "threshold: got 1, expected a number between -1 and 1"),
        ("threshold", "0.1", "threshold: got '0.1'"),
        ("threshold", True, "threshold: got True"),
        ("threshold", float("nan"), "threshold: got nan"),
        ("text", " ", "text: got ' '"),
        ("text", "a\nb", "in one line"),
        ("text", "x" * 501, "at most 500 characters"),
        ("population", "all", "population: got 'all', expected an object"),
        ("population.season", "2026Q5", "season: got '2026Q5', expected a quarter such as 2026Q4"),
        ("population.season", "0000Q1", "season: got '0000Q1'"),
        ("population.track", "deaf", "track: got 'deaf', expected one of blind, aware"),
        ("population.slice", "liquidity:low", "slice: got 'liquidity:low'"),
        ("population.slice", "category:", "slice: got 'category:'"),
        ("population.slice", "category: Politics", "slice: got 'category: Politics'"),
        ("population.since", "yesterday", "since: got 'yesterday'"),
        ("population.since", "2026-12-01T00:00:00", "with its zone"),
        ("stopping.rule", "sometime", "rule: got 'sometime', expected one of every_look, date, clusters, events"),
        ("stopping", {"rule": "date"}, "stopping.at: got None, expected at beside rule date"),
        ("stopping", {"rule": "date", "at": "2027-01-01T00:00:00Z", "count": 50}, "expected no count beside rule date"),
        ("stopping", {"rule": "clusters"}, "stopping.count: got None, expected count beside rule clusters"),
        ("stopping", {"rule": "events", "count": 9}, "count: got 9, expected a whole number from 10"),
        ("stopping", {"rule": "events", "count": 50.5}, "count: got 50.5"),
        ("stopping", {"rule": "every_look", "at": "2027-01-01T00:00:00Z"}, "expected no at beside rule every_look"),
    ],
)  # fmt: skip
def test_what_is_not_a_claim_is_refused_with_the_field_and_what_would_be_right(
    path: str, value: Any, message: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        claim_from(changed(path, value))
    assert message in str(refused.value)


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_a_claim_is_an_object(value: Any) -> None:
    with pytest.raises(InvalidInput, match="claim: got"):
        claim_from(value)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("population.season", "2026Q3", "season"),
        ("population.season", None, "season"),
        ("population.track", None, "track"),
        ("stopping", {"rule": "date", "at": "2026-11-21T12:00:00Z"}, "at"),
    ],
)
def test_a_claim_about_the_past_cannot_be_registered(path: str, value: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_registration(claim_from(changed(path, value)), NOON)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("population.since", "2026-11-21T12:00:00Z", "a time in the future"),
        ("population.since", "2027-01-01T00:00:00Z", "before the end of the season"),
        ("stopping", {"rule": "date", "at": "2027-02-15T00:00:00Z"}, "until 2027-02-14T00:00:00Z"),
        ("population.slice", "horizon:soon", "one of horizon:0-3h, horizon:3-12h"),
        ("population.slice", "price:0.05-0.2", "one of price:0.00-0.05, price:0.05-0.20"),
        ("population.slice", "outcomes:4", "one of outcomes:1, outcomes:2, outcomes:3-5"),
    ],
)
def test_a_claim_that_nothing_could_ever_decide_cannot_be_registered(path: str, value: Any, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        check_registration(claim_from(changed(path, value)), NOON)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("population.since", "2026-12-31T23:59:59Z"), ("population.slice", "horizon:0-3h"),
        ("stopping", {"rule": "date", "at": "2027-02-14T00:00:00Z"}), ("population.slice", "price:0.95-1.00"),
        ("population.slice", "outcomes:>10"), ("population.slice", "category:Anything"),
    ],
)  # fmt: skip
def test_a_claim_that_can_be_decided_can_be_registered(path: str, value: Any) -> None:
    check_registration(claim_from(changed(path, value)), NOON)


def test_a_claim_about_the_present_season_can_be_registered() -> None:
    check_registration(claim_from(CLAIM), NOON)
    check_registration(claim_from(changed("stopping", {"rule": "date", "at": "2026-11-21T12:00:01Z"})), NOON)


def test_a_claim_of_a_file_names_its_registration() -> None:
    claim, registered_at = registered_claim({**CLAIM, "registered_at": "2026-11-21T12:00:00Z"})
    assert (claim, registered_at) == (claim_from(CLAIM), NOON)
    with pytest.raises(InvalidInput, match="registered_at, the time at which the claim was made"):
        registered_claim(CLAIM)
    late = changed("stopping", {"rule": "date", "at": "2026-11-21T12:00:00Z"})
    with pytest.raises(InvalidInput, match="a time after registered_at"):
        registered_claim({**late, "registered_at": "2026-11-21T12:00:00Z"})
    with pytest.raises(InvalidInput, match="a time after registered_at; without it all later rows count"):
        registered_claim(
            {**changed("population.since", "2026-11-21T12:00:00Z"), "registered_at": "2026-11-21T12:00:00Z"}
        )


@pytest.mark.parametrize(
    ("changes", "statement"),
    [
        ({}, "luna is better than the market"),
        ({"direction": "below"}, "luna is worse than the market"),
        ({"against": "sol"}, "luna is better than sol"),
        ({"threshold": 0.01}, "the skill of luna against the market is above +0.01"),
        ({"population": {"slice": "category:Politics"}}, "luna is better than the market in category:Politics"),
    ],
)
def test_a_claim_is_told_in_a_sentence(changes: dict[str, Any], statement: str) -> None:
    assert claim_from({**CLAIM, **changes}).statement == statement


def test_a_chain_value_depends_on_all_that_came_before() -> None:
    first = chain_after("0" * 64, "a" * 64, NOON)
    assert first == hashlib.sha256(f"{'0' * 64}\n{'a' * 64}\n2026-11-21T12:00:00.000000Z".encode()).hexdigest()
    later = NOON + timedelta(microseconds=1)
    others = {chain_after("1" * 64, "a" * 64, NOON), chain_after("0" * 64, "b" * 64, NOON),
              chain_after("0" * 64, "a" * 64, later)}  # fmt: skip
    assert len(others | {first}) == 4


def test_a_sealed_text_is_json_of_ascii() -> None:
    text = claim_from(changed("text", "größer als der Markt")).canonical
    assert text.isascii()
    assert json.loads(text)["text"] == "größer als der Markt"
