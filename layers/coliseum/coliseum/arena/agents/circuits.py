"""The circuit breakers that all workers share in Redis: of each model, each vendor, our account, and the network.

A failure pauses what it concerns and nothing else. A refused key or spent credit pauses all models only when a second
model is refused, too: one refusal may concern its model alone. Where Redis does not answer, models are asked: a circuit
only saves money and time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from coliseum.arena.agents.model_circuit import (
    AT_ONCE,
    CONFIRMED,
    COUNTED,
    SEVERAL_MODELS,
    UNCONFIRMED,
    CircuitRule,
    CircuitVerdict,
    ModelCircuit,
)
from coliseum.errors import SourceError, SourceUnavailable
from coliseum.llm.failures import FailureKind, FailureScope, ModelFailed
from coliseum.llm.names import vendor
from coliseum.observability import emit_metrics, logger
from coliseum.upstash.client import Redis

KEPT_SECONDS = 7200
"""Longer than a circuit can be open."""
PROBE_SECONDS = 120
"""How long a probe may take before another one is sent."""
AFTER_PROBE_SECONDS = 15.0
"""While one caller probes, the others ask again after this time."""
OTHERS_FIRST_SECONDS = 30.0
"""A model that was refused itself lets others probe the account first: they show whether it alone is in trouble."""
JITTER_SECONDS = 5.0
MOST_COLLISIONS = 20
"""How often an update is repeated because another worker was faster. Each time one of the workers succeeds."""
_REPLACE_LUA = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""
"""Stores a circuit (and frees its probe) if it is still the one that was read."""
_CLOSE_LUA = """
local account = redis.call('GET', KEYS[1]) or ''
local first = 1
if account ~= ARGV[1] then
  local ok, circuit = pcall(cjson.decode, account)
  if ok and type(circuit) == 'table' and (tonumber(circuit['open_until']) or 0) > 0 then first = 3 end
end
redis.call('DEL', unpack(KEYS, first))
return first
"""
"""Closes circuits after an answer. The account's (the first two keys) stays open where it opened after the request had
begun: the request was let in before the trouble, so its answer proves nothing."""
_AT_ONCE = frozenset({FailureKind.DATA_POLICY, FailureKind.PRICE_LIMIT})
"""Failures of one model that will not pass by themselves within minutes."""
_OF_THE_ACCOUNT = frozenset({FailureKind.DATA_POLICY, FailureKind.KEY_REFUSED, FailureKind.CREDIT})
"""What each model of the account meets by itself. It is an error in the log once, not once per model."""


@dataclass(frozen=True, slots=True)
class ModelPermission:
    """Whether the model may be asked. `reason` is the failure class that opened a circuit."""

    go: bool
    reason: str = ""
    wait_seconds: float = 0.0
    """When it makes sense to ask for permission again."""
    probes: tuple[str, ...] = ()
    """The circuits for which this caller probes."""
    account: str = ""
    """The account's circuit as it was when the permission was given."""


NO_PROBES = ModelPermission(go=True)


class Circuits:
    """Reads and updates the shared circuits. A failure of Redis is logged and never stops a decision."""

    def __init__(self, redis: Redis, *, prefix: str) -> None:
        self._redis = redis
        self._prefix = f"{prefix}arena:circuit:"

    def allows(self, model: str, *, now: float) -> ModelPermission:
        """Whether this model may be asked at `now` (unix seconds). One command while all is well."""
        names = _names(model)
        try:
            texts = self._redis.read("MGET", *(self._key(name) for name in names))
            circuits = dict(zip(names, map(ModelCircuit.parse, texts), strict=True))
            probes: list[str] = []
            for circuit in circuits.values():
                if circuit.verdict(now) is CircuitVerdict.STAY:
                    return _refusal(circuit, circuit.open_until - now)
            waits = circuits[names[0]].open_until + OTHERS_FIRST_SECONDS - now
            if waits > 0 and all(circuits[name].verdict(now) is CircuitVerdict.PROBE for name in (names[0], names[-1])):
                return _refusal(circuits[names[0]], waits)
            for name, circuit in circuits.items():
                if circuit.verdict(now) is CircuitVerdict.PROBE:
                    if not self._take_probe(name):
                        # The probes taken so far are for others now, or they would wait for a request never sent.
                        self._release(probes)
                        return _refusal(circuit, AFTER_PROBE_SECONDS)
                    probes.append(name)
        except SourceError as error:
            logger().warning("circuits could not be read, model is asked", problem=str(error))
            return ModelPermission(go=True)
        return ModelPermission(go=True, probes=tuple(probes), account=texts[0] or "")

    def release(self, permission: ModelPermission) -> None:
        """Give the probes of a permission back, because no request was sent or it showed nothing about them."""
        try:
            self._release(permission.probes)
        except SourceError as error:
            logger().warning("probes could not be given back", problem=str(error))

    def failed(self, model: str, failure: ModelFailed, *, now: float, permission: ModelPermission = NO_PROBES) -> None:
        """Count a failure in the circuits that it concerns. One that concerns a single question is not counted.

        The caller's probes for other circuits are given back, so that another caller can probe at once.
        """
        concerned = dict(_concerned(model, failure))
        self.release(replace(permission, probes=tuple(name for name in permission.probes if name not in concerned)))
        for name, rule in concerned.items():
            try:
                before, after = self._count(name, model, failure, rule, now)
            except SourceError as error:
                logger().warning("circuit could not be updated", circuit=name, problem=str(error))
                continue
            # A probe that fails for the same reason prolongs the pause. It was announced when it began.
            if after.open_until > now and not (before.open_until and before.reason == after.reason):
                _announce(name, failure, seconds=after.open_until - now, first=self._is_first(name, failure.failure))

    def _is_first(self, name: str, failure: FailureKind) -> bool:
        """Whether a trouble of the account that each of its models meets is met for the first time in a while."""
        if name == FailureScope.ACCOUNT.value or failure not in _OF_THE_ACCOUNT:
            return True
        key = f"{self._prefix}announced:{failure.value}"
        try:
            return self._redis.command("SET", key, "1", "NX", "EX", KEPT_SECONDS) is not None
        except SourceError:
            return True

    def answered(self, model: str, permission: ModelPermission = NO_PROBES) -> None:
        """Close the circuits of the model, its vendor, the account and the network after an answer. One command.

        A pause of the account that began after the permission stays. Failures of the account that were counted since
        stay, too, where there were none before.
        """
        keys = [key for name in _names(model) for key in (self._key(name), self._probe_key(name))]
        try:
            if permission.account:
                self._redis.script(_CLOSE_LUA, keys, (permission.account,))
            else:
                self._redis.command("DEL", *keys[2:])
        except SourceError as error:
            logger().warning("circuit could not be closed", circuit=model, problem=str(error))

    def _count(
        self, name: str, model: str, failure: ModelFailed, rule: CircuitRule, now: float
    ) -> tuple[ModelCircuit, ModelCircuit]:
        """Add a failure to a circuit; the circuit before and after. No worker overwrites another's failure."""
        text = self._redis.read("GET", self._key(name))
        for _ in range(MOST_COLLISIONS):
            before = ModelCircuit.parse(text)
            after = before.failed(now, failure.failure.value, model=model, rule=rule, pause_seconds=failure.retry_after)
            keys = (self._key(name), self._probe_key(name))
            stored = self._redis.script(_REPLACE_LUA, keys, (text or "", after.text(), KEPT_SECONDS))
            if stored == 1:
                return before, after
            text = self._redis.read("GET", self._key(name))
        raise SourceUnavailable("redis", f"the circuit {name} changed {MOST_COLLISIONS} times while it was updated")

    def _take_probe(self, name: str) -> bool:
        return self._redis.command("SET", self._probe_key(name), "1", "NX", "EX", PROBE_SECONDS) is not None

    def _release(self, probes: Sequence[str]) -> None:
        if probes:
            self._redis.command("DEL", *map(self._probe_key, probes))

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _probe_key(self, name: str) -> str:
        return f"{self._prefix}{name}:probe"


def _names(model: str) -> tuple[str, ...]:
    """The circuits that stand before a model, the widest first."""
    return (FailureScope.ACCOUNT.value, FailureScope.NETWORK.value, f"vendor:{vendor(model)}", f"model:{model}")


def _concerned(model: str, failure: ModelFailed) -> Iterator[tuple[str, CircuitRule]]:
    match failure.scope:
        case FailureScope.ACCOUNT if failure.failure is FailureKind.KEY_BUDGET:
            yield FailureScope.ACCOUNT.value, AT_ONCE  # the reply names the key's own limit
        case FailureScope.ACCOUNT:
            yield FailureScope.ACCOUNT.value, CONFIRMED
            yield f"model:{model}", UNCONFIRMED
        case FailureScope.NETWORK:
            # A model whose replies never arrive looks like this, too: it pauses alone unless others fail with it.
            yield FailureScope.NETWORK.value, SEVERAL_MODELS
            yield f"model:{model}", COUNTED
        case FailureScope.VENDOR:
            yield f"vendor:{vendor(model)}", COUNTED
        case FailureScope.MODEL:
            yield f"model:{model}", AT_ONCE if failure.failure in _AT_ONCE else COUNTED
        case FailureScope.DECISION:
            return


def _refusal(circuit: ModelCircuit, seconds: float) -> ModelPermission:
    """The jitter keeps the waiting callers from coming back all at once."""
    return ModelPermission(go=False, reason=circuit.reason, wait_seconds=seconds + random.random() * JITTER_SECONDS)


def _announce(name: str, failure: ModelFailed, *, seconds: float, first: bool) -> None:
    """Log a pause when it begins, as an error where an operator has to act and has not been told yet."""
    emit_metrics({"circuit": name.partition(":")[0]}, CircuitOpened=1)
    acts = (failure.scope is FailureScope.ACCOUNT or failure.failure in _AT_ONCE) and first
    log = logger().error if acts else logger().warning
    log(
        "models are paused",
        circuit=name,
        failure=failure.failure.value,
        seconds=round(seconds),
        problem=failure.problem,
    )
