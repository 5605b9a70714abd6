from __future__ import annotations

import hashlib
import json
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.forecasts import (
    Forecast,
    Proof,
    Track,
    canonical,
    clamped,
    forecast_from,
    merkle_root,
    payload,
    prove,
    seal,
    verify,
)
from coliseum.errors import InvalidInput

FULL = Forecast(
    probability=D("0.62"),
    low=D("0.5"),
    high=D("0.7"),
    base_rate=D("0.4"),
    rationale="It rained — thrice.",
    stake=D(75),
    numbers={"yes": "3"},
)


def sealed(forecast: Forecast, **changes: Any) -> dict[str, Any]:
    about: dict[str, Any] = {
        "round_id": "r-20261121T060000Z",
        "ticker": "KXRAIN-1",
        "agent_id": "uniform",
        "track": Track.BLIND,
        "context_hash": "0" * 64,
        "made_at": "2026-11-21T06:00:05Z",
        "nonce": "5" * 32,
    }
    return payload(forecast=forecast, **(about | changes))


@pytest.mark.parametrize("forecast", [FULL, Forecast(probability=None), Forecast(probability=D("0.01"))])
def test_a_payload_gives_its_forecast_back(forecast: Forecast) -> None:
    assert forecast_from(json.loads(canonical(sealed(forecast)))) == forecast


def test_a_seal_is_the_hash_of_the_canonical_json() -> None:
    body = sealed(FULL)
    text = canonical(body)
    assert text.isascii()
    assert b" :" not in text
    assert list(json.loads(text)) == sorted(body)
    assert seal(body) == hashlib.sha256(text).hexdigest()
    assert seal(dict(reversed(body.items()))) == seal(body)


@pytest.mark.parametrize("nonce", ["", "5" * 31, "5" * 129, "g" * 32, "A" * 32, "5" * 32 + "\n"])
def test_a_forecast_without_a_nonce_of_128_bits_is_not_sealed(nonce: str) -> None:
    with pytest.raises(InvalidInput, match="nonce"):
        sealed(FULL, nonce=nonce)


def test_two_seals_of_the_same_forecast_differ() -> None:
    assert seal(sealed(FULL)) != seal(sealed(FULL, nonce="6" * 32))


@pytest.mark.parametrize("field", sorted(sealed(FULL)))
def test_no_part_of_a_forecast_can_change_under_its_seal(field: str) -> None:
    body = sealed(FULL)
    assert seal({**body, field: "something else"}) != seal(body)
    assert seal({name: value for name, value in body.items() if name != field}) != seal(body)


@pytest.mark.parametrize(
    "values",
    [
        {"probability": D("1.01")},
        {"probability": D("-0.01")},
        {"probability": D("NaN")},
        {"probability": None, "low": D(2)},
        {"probability": D("0.5"), "low": D("0.6"), "high": D("0.4")},
    ],
)
def test_a_number_that_is_no_probability_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Forecast(**values)


@pytest.mark.parametrize(
    ("given", "kept"), [("0", "0.0100"), ("1", "0.9900"), ("0.123456", "0.1235"), ("0.5", "0.5000")]
)
def test_a_probability_is_limited_to_one_and_ninety_nine_percent(given: str, kept: str) -> None:
    assert str(clamped(D(given))) == kept


SEALS = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=40, unique=True)


@given(SEALS)
def test_every_leafs_proof_verifies(seals: list[str]) -> None:
    root = merkle_root(seals)
    for leaf in seals:
        proof = prove(seals, leaf)
        assert proof.root == root
        assert verify(proof)


@given(SEALS, st.binary(min_size=32, max_size=32).map(bytes.hex))
def test_no_other_leaf_has_a_proof(seals: list[str], stranger: str) -> None:
    if stranger in seals:
        return
    with pytest.raises(InvalidInput):
        prove(seals, stranger)
    for leaf in seals:
        assert not verify(Proof(stranger, merkle_root(seals), prove(seals, leaf).steps))


@given(SEALS, st.data())
def test_a_day_with_one_seal_changed_or_missing_has_another_root(seals: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(seals) - 1))
    changed = [hashlib.sha256(leaf.encode()).hexdigest() if i == index else leaf for i, leaf in enumerate(seals)]
    assert merkle_root(changed) != merkle_root(seals)
    if len(seals) > 1:
        assert merkle_root(seals[:index] + seals[index + 1 :]) != merkle_root(seals)


@given(SEALS)
def test_the_root_does_not_depend_on_the_order(seals: list[str]) -> None:
    assert merkle_root(seals[::-1]) == merkle_root(seals)


def test_inner_nodes_are_no_leaves() -> None:
    """A node's two halves, given as a leaf, must not prove anything: leaf and node are hashed apart."""
    one, two = "11" * 32, "22" * 32
    left = hashlib.sha256(b"\x00" + bytes.fromhex(one)).digest()
    right = hashlib.sha256(b"\x00" + bytes.fromhex(two)).digest()
    assert merkle_root([one, two]) == hashlib.sha256(b"\x01" + left + right).hexdigest()
    assert merkle_root([one]) == left.hex()


def test_an_empty_day_has_no_root() -> None:
    with pytest.raises(InvalidInput):
        merkle_root([])
