from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.agents.model_circuit import (
    ACCOUNT_SECONDS,
    AT_ONCE,
    FAILURES,
    LONGEST_OPEN_SECONDS,
    OPEN_SECONDS,
    SEVERAL_MODELS,
    SHORTEST_OPEN_SECONDS,
    WINDOW_SECONDS,
    CircuitVerdict,
    ModelCircuit,
)

NOW = 1_000_000.0


def after(failures: int, *, apart: float = 1.0) -> ModelCircuit:
    circuit = ModelCircuit()
    for number in range(failures):
        circuit = circuit.failed(NOW + number * apart, "rate_limited")
    return circuit


def test_a_few_failures_leave_it_closed() -> None:
    assert after(FAILURES - 1).verdict(NOW + 10) is CircuitVerdict.GO


def test_five_failures_in_a_minute_open_it() -> None:
    circuit = after(FAILURES)
    last = NOW + FAILURES - 1
    assert circuit.verdict(last) is CircuitVerdict.STAY
    assert circuit.verdict(last + OPEN_SECONDS - 0.1) is CircuitVerdict.STAY
    assert circuit.verdict(last + OPEN_SECONDS) is CircuitVerdict.PROBE
    assert circuit.reason == "rate_limited"


def test_failures_that_lie_far_apart_never_open_it() -> None:
    circuit = after(50, apart=WINDOW_SECONDS / (FAILURES - 1) + 1)
    assert circuit.verdict(NOW + 10_000) is CircuitVerdict.GO


def test_a_failed_probe_opens_it_again() -> None:
    circuit = after(FAILURES)
    probed = NOW + FAILURES - 1 + OPEN_SECONDS
    again = circuit.failed(probed, "timeout")
    assert again.verdict(probed + OPEN_SECONDS - 1) is CircuitVerdict.STAY
    assert again.verdict(probed + OPEN_SECONDS) is CircuitVerdict.PROBE
    assert again.reason == "timeout"


def test_a_refused_key_opens_it_at_once() -> None:
    circuit = ModelCircuit().failed(NOW, "key_refused", rule=AT_ONCE)
    assert circuit.verdict(NOW + ACCOUNT_SECONDS - 1) is CircuitVerdict.STAY
    assert circuit.verdict(NOW + ACCOUNT_SECONDS) is CircuitVerdict.PROBE


def test_failures_of_one_model_do_not_prove_that_the_network_is_down() -> None:
    circuit = ModelCircuit()
    for number in range(FAILURES * 2):
        circuit = circuit.failed(NOW + number, "network", model="a/b", rule=SEVERAL_MODELS)
    assert circuit.verdict(NOW + 20) is CircuitVerdict.GO
    assert (
        circuit.failed(NOW + 11, "network", model="c/d", rule=SEVERAL_MODELS).verdict(NOW + 12) is CircuitVerdict.STAY
    )


@pytest.mark.parametrize(
    ("named", "pause"), [(30.0, 30.0), (0.0, SHORTEST_OPEN_SECONDS), (1e9, LONGEST_OPEN_SECONDS), (None, OPEN_SECONDS)]
)
def test_it_is_open_for_the_time_that_the_failure_named_within_limits(named: float | None, pause: float) -> None:
    circuit = after(FAILURES - 1).failed(NOW + 4, "rate_limited", pause_seconds=named)
    assert circuit.open_until == NOW + 4 + pause


@given(st.lists(st.floats(0, 300), max_size=30))
def test_a_circuit_is_equal_after_being_stored(pauses: list[float]) -> None:
    circuit, now = ModelCircuit(), NOW
    for pause in pauses:
        now += pause
        circuit = circuit.failed(now, "unavailable", model="a/b")
    assert ModelCircuit.parse(circuit.text()) == circuit
    assert len(circuit.failures) <= FAILURES


@given(st.none() | st.text())
def test_a_text_that_cannot_be_read_is_a_closed_circuit(text: str | None) -> None:
    assert ModelCircuit.parse(text).verdict(NOW) in set(CircuitVerdict)


def test_any_text_is_read_without_an_error() -> None:
    odd = ("9" * 401, "NaN", "Infinity", "-Infinity", "[" * 100_000, '{"open_until": NaN}', '{"open_until": Infinity}')
    huge = ('{"open_until": ' + "9" * 401 + "}", '{"failures": [[' + "9" * 401 + ', "a"]]}')
    for text in (None, "", "null", "[]", "{", '{"failures": 3}', '{"open_until": "soon"}', *odd, *huge):
        assert ModelCircuit.parse(text) == ModelCircuit()
