"""A forecast, its seal, and the day's Merkle tree over all seals. Pure.

The seal is the sha256 of the payload's canonical JSON. It is public at once, the payload when the round closes, so
anyone can check that a forecast was not changed. A random nonce in the payload keeps the few digits of a
probability from being found by trying all values.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from coliseum.errors import InvalidInput
from coliseum.trading.money import ONE, ZERO, decimal_text, optional_text

LOWEST, HIGHEST = Decimal("0.01"), Decimal("0.99")
NONCE = re.compile(r"[0-9a-f]{32,128}")


class Track(StrEnum):
    """What a contestant is shown of the frozen context. Each track has its own ranking.

    `open` is the track of outside agents. They can read anything until the round closes, so nothing is held back.
    """

    BLIND = "blind"
    AWARE = "aware"
    INFORMED = "informed"
    OPEN = "open"

    @property
    def shows_prices(self) -> bool:
        return self in {Track.AWARE, Track.OPEN}

    @property
    def shows_sources(self) -> bool:
        return self in {Track.INFORMED, Track.OPEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One contestant's answer. Probabilities of YES; None where it abstained."""

    probability: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    base_rate: Decimal | None = None
    rationale: str = ""
    stake: Decimal | None = None
    """Dollars that the contestant would risk. Only its self-sized account uses it."""
    numbers: Mapping[str, str] | None = None
    """The numbers from which a statistical contestant computed its answer."""
    replicates: tuple[Decimal, ...] | None = None
    """The probabilities of which `probability` is the mean, where the contestant was asked several times."""
    served_model: str | None = None
    """The model that replied, where that is another one than was asked."""

    def __post_init__(self) -> None:
        for name in ("probability", "low", "high", "base_rate"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and ZERO <= value <= ONE):
                raise InvalidInput(name, value, "a probability between 0 and 1")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidInput("low", self.low, f"at most high, which is {self.high}")

    @property
    def abstain(self) -> bool:
        return self.probability is None


def clamped(probability: Decimal) -> Decimal:
    """The probability, limited to 0.01 to 0.99, with four places. No contestant may be certain."""
    return min(HIGHEST, max(LOWEST, probability)).quantize(Decimal("0.0001"))


def payload(
    *,
    round_id: str,
    ticker: str,
    agent_id: str,
    track: Track,
    context_hash: str,
    forecast: Forecast,
    made_at: str,
    nonce: str,
) -> dict[str, Any]:
    """The sealed content. `made_at` is RFC 3339, `nonce` at least 128 random bits in hex, used once.

    Raises InvalidInput for another nonce.
    """
    if not NONCE.fullmatch(nonce):
        raise InvalidInput("nonce", nonce, "32 to 128 hex digits")
    # What most forecasts do not have is no key of theirs, so that payloads stay as they always were.
    more: dict[str, Any] = {}
    if forecast.replicates is not None:
        more["replicates"] = [decimal_text(p) for p in forecast.replicates]
    if forecast.served_model is not None:
        more["served_model"] = forecast.served_model
    return {
        "round_id": round_id,
        "ticker": ticker,
        "agent_id": agent_id,
        "track": track.value,
        "context_hash": context_hash,
        "made_at": made_at,
        "nonce": nonce,
        "probability": optional_text(forecast.probability),
        "low": optional_text(forecast.low),
        "high": optional_text(forecast.high),
        "base_rate": optional_text(forecast.base_rate),
        "rationale": forecast.rationale,
        "stake": optional_text(forecast.stake),
        "numbers": None if forecast.numbers is None else dict(forecast.numbers),
        **more,
    }


def forecast_from(sealed: Mapping[str, Any]) -> Forecast:
    """The forecast inside a payload."""
    names = ("probability", "low", "high", "base_rate", "stake")
    values = {name: None if sealed[name] is None else Decimal(sealed[name]) for name in names}
    texts = sealed.get("replicates")
    replicates = None if texts is None else tuple(map(Decimal, texts))
    return Forecast(
        **values,
        rationale=sealed["rationale"],
        numbers=sealed["numbers"],
        replicates=replicates,
        served_model=sealed.get("served_model"),
    )


def canonical(value: Mapping[str, Any]) -> bytes:
    """Canonical JSON: sorted keys, no white space, ASCII. Numbers are strings, so each value has one form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def seal(value: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


@dataclass(frozen=True, slots=True)
class Proof:
    """The path from a seal to a root: (sibling is on the left, sibling hash) per level, from leaf to root."""

    seal: str
    root: str
    steps: tuple[tuple[bool, str], ...]


def merkle_root(seals: Sequence[str]) -> str:
    """Root over the sorted seals, RFC 6962 hashing (leaf 0x00, node 0x01; an odd node moves up unchanged)."""
    return _levels(seals)[-1][0].hex()


def prove(seals: Sequence[str], wanted: str) -> Proof:
    """The proof that `wanted` is one of `seals`. Raises InvalidInput where it is not one of them."""
    ordered = sorted(set(seals))
    if wanted not in ordered:
        raise InvalidInput("seal", wanted, "a seal of that day")
    levels, index, steps = _levels(seals), ordered.index(wanted), []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append((sibling < index, level[sibling].hex()))
        index //= 2
    return Proof(wanted, levels[-1][0].hex(), tuple(steps))


def verify(proof: Proof) -> bool:
    """Whether the path leads from the seal to the root."""
    node = _leaf(proof.seal)
    for left, sibling in proof.steps:
        other = bytes.fromhex(sibling)
        node = _node(other, node) if left else _node(node, other)
    return node.hex() == proof.root


def _levels(seals: Sequence[str]) -> list[list[bytes]]:
    if not seals:
        raise InvalidInput("seals", [], "at least one seal")
    levels = [[_leaf(value) for value in sorted(set(seals))]]
    while len(levels[-1]) > 1:
        level = levels[-1]
        levels.append([_node(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)])
    return levels


def _leaf(value: str) -> bytes:
    return hashlib.sha256(b"\x00" + bytes.fromhex(value)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
