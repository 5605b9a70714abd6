"""The circuit breakers that all workers share in Redis: one per vendor, and one for all models.

Where Redis does not answer, models are asked: a circuit only saves money and time.
"""

from __future__ import annotations

from dataclasses import dataclass

from coliseum.arena.agents.model_circuit import FLEET_SECONDS, CircuitVerdict, ModelCircuit
from coliseum.errors import SourceError
from coliseum.llm.failures import TRAITS, FailureKind, FailureScope
from coliseum.observability import logger
from coliseum.upstash.client import Redis

FLEET = "everyone"
KEPT_SECONDS = 3600
PROBE_SECONDS = 120
"""How long a probe may take before another one is sent."""


@dataclass(frozen=True, slots=True)
class ModelPermission:
    """Whether the model may be asked. `reason` is the failure class that opened its circuit."""

    go: bool
    reason: str = ""


class Circuits:
    """Reads and updates the shared circuits. A failure of Redis is logged and never stops a decision."""

    def __init__(self, redis: Redis, *, prefix: str) -> None:
        self._redis = redis
        self._prefix = f"{prefix}arena:circuit:"

    def allows(self, vendor: str, *, now: float) -> ModelPermission:
        """Whether a model of this vendor may be asked at `now` (unix seconds). One command while all is well."""
        names = (FLEET, vendor)
        try:
            texts = self._redis.read("MGET", *(self._key(name) for name in names))
            for name, circuit in zip(names, map(ModelCircuit.parse, texts), strict=True):
                verdict = circuit.verdict(now)
                if verdict is CircuitVerdict.STAY or (verdict is CircuitVerdict.PROBE and not self._take_probe(name)):
                    return ModelPermission(go=False, reason=circuit.reason)
        except SourceError as error:
            logger().warning("circuits could not be read, model is asked", problem=str(error))
        return ModelPermission(go=True)

    def failed(self, vendor: str, failure: FailureKind, *, now: float) -> None:
        """Count a failure in the circuit of its scope. One that concerns a single question is not counted."""
        scope = TRAITS[failure].scope
        if scope is FailureScope.DECISION:
            return
        name = FLEET if scope is FailureScope.FLEET else vendor
        at_once = FLEET_SECONDS if scope is FailureScope.FLEET else None
        try:
            before = ModelCircuit.parse(self._redis.read("GET", self._key(name)))
            after = before.failed(now, failure.value, at_once_seconds=at_once)
            self._redis.command("SET", self._key(name), after.text(), "EX", KEPT_SECONDS)
            self._redis.command("DEL", self._probe_key(name))
        except SourceError as error:
            logger().warning("circuit could not be updated", circuit=name, problem=str(error))
        if scope is FailureScope.FLEET:
            logger().error("all models are paused", failure=failure.value, seconds=FLEET_SECONDS)

    def answered(self, vendor: str) -> None:
        """Close the vendor's circuit and the one for all models after an answer. One command."""
        names = (FLEET, vendor)
        try:
            self._redis.command("DEL", *map(self._key, names), *map(self._probe_key, names))
        except SourceError as error:
            logger().warning("circuit could not be closed", circuit=vendor, problem=str(error))

    def _take_probe(self, name: str) -> bool:
        return self._redis.command("SET", self._probe_key(name), "1", "NX", "EX", PROBE_SECONDS) is not None

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _probe_key(self, name: str) -> str:
        return f"{self._prefix}{name}:probe"
