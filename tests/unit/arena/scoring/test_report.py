from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arena_evaluation import Cell as OracleCell  # type: ignore[import-untyped]  # it ships none
from arena_evaluation import Resolution, evaluate_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.arena.scoring import reference
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.cells import Cell, table_from_cells, with_unanswered_questions
from coliseum.arena.scoring.report import ALL, ScoreReport, ScoreRules, canonical, score, seed_of

EVERYTHING = ScoreRules(left_out=frozenset())


def report_of(cells: list[Cell], *, draws: int = 0, rules: ScoreRules = EVERYTHING) -> ScoreReport:
    return score(table_from_cells(cells), seed=1, draws=draws, slice_draws=draws, rules=rules)


def close(result: object, wanted: float | None) -> bool:
    if wanted is None:
        return result is None
    return isinstance(result, float) and math.isclose(result, wanted, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_every_slice_agrees_with_a_reference_in_plain_python(seed: int, *, fractions: bool) -> None:
    cells = random_cells(seed, fractions=fractions)
    report = report_of(cells)
    vectors = {agent: reference.vectors(cells, agent) for agent in report.agents}
    for name, wanted in _slices(cells).items():
        scores = report.scores(name)
        assert sorted(scores) == sorted({cell.agent for cell in wanted})
        for agent, numbers in scores.items():
            own = [cell for cell in wanted if cell.agent == agent]
            _compare(numbers, own)
            _compare_published(numbers, own)
            _compare_vectors(numbers, vectors[agent], {(cell.event, cell.window) for cell in own})


def _slices(cells: list[Cell]) -> dict[str, list[Cell]]:
    result = {ALL: cells}
    for cell in cells:
        if cell.category:
            result.setdefault(f"category:{cell.category}", []).append(cell)
        if cell.horizon:
            result.setdefault(f"horizon:{cell.horizon}", []).append(cell)
        if cell.outcomes in {1, 2}:
            result.setdefault(f"outcomes:{cell.outcomes}", []).append(cell)
    return result


def _compare(numbers: dict[str, Any], own: list[Cell]) -> None:
    briers = reference.event_values(own, reference.graded, reference.brier)
    skills = reference.event_values(own, reference.paired, reference.difference)
    graded, paired = [c for c in own if reference.graded(c)], [c for c in own if reference.paired(c)]
    wanted: dict[str, float | None] = {
        "brier": reference.mean(briers.values()),
        "brier_market_weighted": reference.mean(map(reference.brier, graded)),
        "brier_strict": reference.mean(
            reference.event_values(
                own, lambda c: c.y is not None, lambda c: reference.brier(replace(c, p=0.5) if c.p is None else c)
            ).values()
        ),
        "log": reference.mean(reference.event_values(own, reference.graded, reference.log_score).values()),
        "baseline": reference.mean(
            reference.event_values(
                own, reference.graded, lambda c: 100 * (1 - reference.log_score(c) / math.log(2))
            ).values()
        ),
        "skill": reference.mean(skills.values()),
        "skill_se": reference.cluster_error(skills, own),
        "market_brier": reference.mean(
            reference.event_values(own, reference.paired, lambda c: (c.q - c.y) ** 2).values()  # type: ignore[operator]
        ),
        "skill_market_weighted": reference.mean(map(reference.difference, paired)),
        "edge": reference.mean(
            reference.event_values(own, reference.paired, lambda c: (c.p - c.q) * (c.y - c.q)).values()  # type: ignore[operator]
        ),
        "sharpness": reference.mean(abs((c.p or 0) - 0.5) for c in graded),
        "bias": reference.mean((c.p or 0) - (c.y or 0) for c in graded),
        "ece": reference.expected_error(own),
        "auc": reference.area_under_curve(own),
    }
    for name, value in wanted.items():
        assert close(numbers[name], value), name
    counts = {"offered": len(own), "graded": len(graded), "paired": len(paired), "events": len(briers)}
    assert {name: numbers[name] for name in counts} == counts
    assert [part["count"] for part in numbers["bins"]] == [len(part) for part in reference.bins(own)]


def _compare_published(numbers: dict[str, Any], own: list[Cell]) -> None:
    """The numbers of other boards, and those whose formula a fraction as outcome changes."""
    rows = [cell for cell in own if reference.graded(cell)]
    linspace, parts = reference.linspace_errors(own) or (None, None, 0), reference.murphy(own)
    share, decided = reference.direction(own)
    wanted: dict[str, float | None] = {
        **reference.classification(own),
        "log_loss": reference.mean(reference.cross_entropy(cell, 1e-15) for cell in rows),
        "ece_linspace": linspace[0],
        "mce_linspace": linspace[1],
        "direction": share,
    }
    for place, name in enumerate(("reliability", "resolution", "uncertainty")):
        wanted[f"murphy_{name}"] = None if parts is None else parts[place]
    for name, value in wanted.items():
        assert close(numbers[name], value), name
    assert numbers["linspace_lost"] == linspace[2]
    assert numbers["direction_decided"] == decided
    assert numbers["fractional"] == sum(cell.y not in {0, 1} for cell in rows)


def _compare_vectors(
    numbers: dict[str, Any],
    vectors: dict[tuple[str, str], tuple[float, float | None]],
    asked: set[tuple[str, str]],
) -> None:
    own = {key: value for key, value in vectors.items() if key in asked}

    assert close(numbers["brier_sum"], reference.by_event({key: value[0] for key, value in own.items()}))
    assert close(numbers["spherical"], reference.by_event({key: value[1] for key, value in own.items()}))
    assert numbers["complete_events"] == len({event for event, _ in own})


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_peer_scores_agree_with_the_reference(seed: int, *, fractions: bool) -> None:
    cells = random_cells(seed, fractions=fractions)
    for agent, numbers in report_of(cells).scores().items():
        assert close(numbers["peer"], reference.peer(cells, agent))


@pytest.mark.parametrize("seed", range(3))
def test_numbers_agree_with_an_independent_engine(seed: int) -> None:
    """PyPI's arena-evaluation: Brier, skill, its error, ECE, counts and reliability, over all and by category."""
    cells = [replace(cell, horizon=None, cluster=None) for cell in random_cells(seed) if cell.p is not None]
    grouped: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        grouped.setdefault((cell.agent, cell.event, cell.window), []).append(cell)
    oracle = evaluate_cells(
        OracleCell(
            agent=agent,
            event=event,
            window=int(window[1:]),
            probabilities={cell.market: cell.p for cell in rows if cell.p is not None},
            resolutions={cell.market: _resolution(cell.y) for cell in rows},
            crowd={cell.market: cell.q for cell in rows if cell.q is not None},
            category=rows[0].category,
        )
        for (agent, event, window), rows in grouped.items()
    )
    report = report_of(cells)
    compared = 0
    for wanted in oracle.scores:
        if wanted.slice.startswith("type:"):
            continue
        numbers = report.scores(wanted.slice.replace("cat:", "category:"))[wanted.agent]
        for name in ("brier", "skill", "skill_se", "ece"):
            assert close(numbers[name], getattr(wanted, name)), (wanted.slice, name)
        assert numbers["events"] == wanted.n_events
        assert numbers["skill_events"] == wanted.n_skill_events
        for mine, theirs in zip(numbers["bins"], wanted.reliability, strict=True):
            assert mine["count"] == theirs.count
            assert close(mine["forecast"], theirs.confidence)
            assert close(mine["observed"], theirs.accuracy)
        compared += 1
    assert compared == 16


def _resolution(outcome: float | None) -> Resolution:
    return Resolution.VOID if outcome is None else Resolution.YES if outcome else Resolution.NO


@pytest.mark.parametrize("draws", [0, 200])
def test_the_order_of_the_cells_changes_no_score(draws: int) -> None:
    cells = random_cells(7)
    shuffled = random.Random(1).sample(cells, len(cells))

    assert report_of(shuffled, draws=draws).digest == report_of(cells, draws=draws).digest


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_of_any_cells_changes_no_score(seed: int, rng: random.Random) -> None:
    cells = random_cells(seed, events=4)

    assert report_of(rng.sample(cells, len(cells))).digest == report_of(cells).digest


@given(st.integers(0, 10_000), st.integers(2, 4))
@settings(max_examples=10)
def test_an_event_weighs_the_same_however_often_its_markets_are_listed(seed: int, times: int) -> None:
    cells = random_cells(seed, events=3)
    copies = [
        replace(cell, market=f"{cell.market}-{copy}")
        for cell in cells
        if cell.event == cells[0].event
        for copy in range(times)
    ]
    before, after = report_of(cells).scores(), report_of([*cells, *copies]).scores()

    for agent, numbers in before.items():
        for name in ("brier", "brier_strict", "log", "baseline", "skill", "skill_strict", "skill_se", "edge"):
            assert close(after[agent][name], numbers[name]), name


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: replace(cell, p=0.123),
        lambda cell: replace(cell, market="renamed"),
        lambda cell: replace(cell, window="w9"),
        lambda cell: replace(cell, agent="someone"),
    ],
)
def test_any_change_of_a_cell_changes_the_input_hash(change: Callable[[Cell], Cell]) -> None:
    cells = random_cells(8)
    changed = [change(cells[0]), *cells[1:]]

    assert report_of(changed).body["input_hash"] != report_of(cells).body["input_hash"]


@pytest.mark.parametrize("column", ["q", "yes_ask", "q_24h", "settled_at", "due_at"])
def test_any_change_of_a_market_changes_the_input_hash(column: str) -> None:
    cells = random_cells(8)
    changed = [
        replace(cell, **{column: 0.123})  # type: ignore[arg-type]  # all of them are numbers
        if (cell.event, cell.market) == (cells[0].event, cells[0].market)
        else cell
        for cell in cells
    ]

    assert report_of(changed).body["input_hash"] != report_of(cells).body["input_hash"]


KNOWN = """
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.report import score, seed_of
from tests.unit.arena.scoring.reference import random_cells

table = table_from_cells(random_cells(11, events=80))
print(score(table, seed=seed_of("test", table), draws=500, slice_draws=100).digest)
"""
DIGEST = "8bd693028e6785192416f88dbbb20a71e9068ba59f58ea3f40a882332240d0bd"


@pytest.mark.parametrize(
    "machine",
    [
        {},
        {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    ],
    ids=["this one", "an old one"],
)
def test_the_digest_of_a_known_report_is_the_same_on_every_machine(machine: dict[str, str], root: Path) -> None:
    paths = os.pathsep.join(str(root / part) for part in (".", "layers/coliseum"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KNOWN],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, **machine},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == DIGEST


def test_an_empty_table_has_an_empty_report() -> None:
    report = report_of([], draws=100)

    assert report.body["slices"] == {ALL: {}}
    assert json.loads(canonical(report.body))["cells"] == 0


def test_agents_without_a_graded_cell_have_counts_and_no_scores() -> None:
    cells = [Cell(agent="a", event="e", market="m", window="1", p=0.4), _unanswered("b")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = report_of(cells, draws=50).scores()

    assert (scores["a"]["answered"], scores["a"]["graded"], scores["a"]["brier"]) == (1, 0, None)
    assert (scores["b"]["offered"], scores["b"]["answered"], scores["b"]["coverage"]) == (1, 0, 0.0)


def _unanswered(agent: str) -> Cell:
    return Cell(agent=agent, event="e", market="m", window="1", p=None)


def test_an_event_with_many_markets_weighs_as_much_as_one_with_a_single_market() -> None:
    many = [Cell(agent="a", event="big", market=f"m{i}", window="1", p=0.5, q=0.5, y=1) for i in range(20)]
    one = Cell(agent="a", event="small", market="m", window="1", p=1.0, q=0.5, y=1)
    numbers = report_of([*many, one]).scores()["a"]

    assert numbers["brier"] == pytest.approx(0.125)
    assert numbers["brier_market_weighted"] == pytest.approx(20 * 0.25 / 21)


def test_an_event_with_many_windows_weighs_as_much_as_one_with_a_single_window() -> None:
    often = [Cell(agent="a", event="often", market="m", window=f"{i}", p=0.5, q=0.5, y=1) for i in range(9)]
    once = Cell(agent="a", event="once", market="m", window="1", p=1.0, q=0.5, y=1)

    assert report_of([*often, once]).scores()["a"]["brier"] == pytest.approx(0.125)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_a_copy_of_the_market_has_a_skill_and_an_edge_of_exactly_0(rows: list[tuple[float, bool]]) -> None:
    cells = [
        Cell(agent="copy", event=f"e{i}", market="m", window="1", p=quote, q=quote, y=int(outcome))
        for i, (quote, outcome) in enumerate(rows)
    ]
    numbers = report_of(cells, draws=50).scores()["copy"]

    assert (numbers["skill"], numbers["edge"], numbers["skill_market_weighted"]) == (0, 0, 0)
    assert numbers["log10_evidence"] == 0
    assert numbers["direction_decided"] == 0


def test_the_last_hours_keep_their_slice_and_stay_out_of_the_headline() -> None:
    late = [Cell(agent="a", event=f"l{i}", market="m", window="1", p=1.0, q=0.5, y=1, horizon="0-3h") for i in range(3)]
    early = [
        Cell(agent="a", event=f"e{i}", market="m", window="1", p=0.5, q=0.5, y=1, horizon="1-2d") for i in range(3)
    ]
    report = report_of([*late, *early], rules=ScoreRules())

    assert report.scores()["a"]["brier"] == 0.25
    assert report.scores("horizon:0-3h")["a"]["brier"] == 0
    assert report_of([*late, *early]).scores()["a"]["brier"] == 0.125


def test_a_missing_answer_counts_as_one_half_in_the_strict_columns_only() -> None:
    answered = Cell(agent="a", event="e1", market="m", window="1", p=0.9, q=0.8, y=1)
    missing = Cell(agent="a", event="e2", market="m", window="1", p=None, q=0.8, y=1)
    numbers = report_of([answered, missing]).scores()["a"]

    assert numbers["brier"] == pytest.approx(0.01)
    assert numbers["brier_strict"] == pytest.approx((0.01 + 0.25) / 2)
    assert numbers["skill"] == pytest.approx(0.03)
    assert numbers["skill_strict"] == pytest.approx((0.03 + 0.04 - 0.25) / 2)
    assert numbers["coverage"] == 0.5


def test_a_void_market_counts_as_answered_and_is_not_graded() -> None:
    cells = [
        Cell(agent="a", event="e1", market="m", window="1", p=0.9, y=None),
        Cell(agent="a", event="e2", market="m", window="1", p=0.9, y=1),
    ]
    numbers = report_of(cells).scores()["a"]

    assert (numbers["answered"], numbers["graded"], numbers["coverage"]) == (2, 1, 1.0)


def test_ratios_need_thirty_cells() -> None:
    cells = [Cell(agent="a", event=f"e{i}", market="m", window="1", p=0.7, q=0.6, y=i % 2) for i in range(30)]

    assert report_of(cells[:29]).scores()["a"]["bss_market"] is None
    numbers = report_of(cells).scores()["a"]
    assert numbers["bss_market"] == pytest.approx(1 - (0.09 + 0.49) / (0.16 + 0.36))
    assert numbers["bss_base"] == pytest.approx(1 - (0.09 + 0.49) / 2 / 0.25)


def test_common_skill_uses_only_events_that_all_agents_have() -> None:
    cells = [
        Cell(agent=agent, event=event, market="m", window="1", p=p, q=0.5, y=1)
        for agent, event, p in [("a", "e1", 0.6), ("a", "e2", 1.0), ("b", "e1", 0.7)]
    ]
    numbers = report_of(cells).scores()["a"]

    assert numbers["skill_common"] == pytest.approx(0.25 - 0.16)
    assert numbers["skill_common_events"] == 1


def test_common_events_are_those_of_the_listed_agents() -> None:
    """A newcomer with one event leaves the others their fifty."""
    answers = [(agent, f"e{event}") for agent in ("a", "b") for event in range(50)] + [("new", "e7")]
    cells = [Cell(agent=agent, event=event, market="m", window="1", p=0.6, q=0.5, y=1) for agent, event in answers]
    report = score(table_from_cells(cells), seed=1, draws=0, listed=lambda _, values: values["skill_events"] >= 30)

    assert {name: numbers["skill_common_events"] for name, numbers in report.scores().items()} == {
        "a": 50, "b": 50, "new": 1,
    }  # fmt: skip
    assert report.body["rules"]["common_of"] == ["a", "b"]
    assert score(table_from_cells(cells), seed=1, draws=0).scores()["a"]["skill_common_events"] == 1


def test_with_unanswered_questions_every_agent_has_every_question() -> None:
    cells = random_cells(3, events=20)
    whole = with_unanswered_questions(table_from_cells(cells))
    questions = {(cell.event, cell.window, cell.market) for cell in cells}

    assert len(whole) == 4 * len(questions)
    assert whole.answered.sum() == sum(cell.p is not None for cell in cells)
    assert score(whole, seed=1, draws=0).scores()["ana"]["offered"] <= len(questions)
    assert with_unanswered_questions(whole) is whole


def test_the_seed_follows_from_the_name_and_the_cells() -> None:
    cells = random_cells(5, events=5)
    table = table_from_cells(cells)

    assert seed_of("a", table) == seed_of("a", table_from_cells(cells[::-1]))
    assert seed_of("a", table) != seed_of("b", table)
    assert seed_of("a", table) != seed_of("a", table_from_cells(cells[1:]))


def test_canonical_json_rounds_to_twelve_places_and_has_one_zero() -> None:
    assert canonical({"b": 0.1 + 0.2, "a": [-0.0, 1e-13, 2]}) == '{"a":[0.0,0.0,2],"b":0.3}'


def test_slice_numbers_do_not_depend_on_other_slices() -> None:
    cells = random_cells(6)
    alone = [cell for cell in cells if cell.category == "Sports"]
    whole, part = report_of(cells, draws=100), report_of(alone, draws=100)

    for agent, numbers in part.scores("category:Sports").items():
        assert whole.scores("category:Sports")[agent] == numbers


def test_the_market_price_slices_by_bands_whose_lower_edge_belongs_to_them() -> None:
    cells = [
        Cell(agent="a", event=f"e{i}", market="m", window="1", p=0.5, q=q, y=1)
        for i, q in enumerate([0.0, 0.04, 0.05, 0.4, 0.95, 1.0])
    ]
    report = report_of(cells)
    result = {name: report.scores(name)["a"]["graded"] for name in report.body["slices"] if name.startswith("price")}

    assert result == {"price:0.00-0.05": 2, "price:0.05-0.20": 1, "price:0.40-0.60": 1, "price:0.95-1.00": 2}


def test_each_tercile_of_liquidity_holds_a_third() -> None:
    cells = [Cell(agent="a", event=f"e{i}", market="m", window="1", p=0.5, y=1, volume=float(i)) for i in range(9)]
    report = report_of(cells)

    assert [report.scores(f"liquidity:{name}")["a"]["graded"] for name in ("low", "middle", "high")] == [3, 3, 3]


def test_a_report_holds_only_json_types() -> None:
    body = report_of(random_cells(2), draws=60).body

    assert json.loads(canonical(body)) == json.loads(
        json.dumps(body | {}), parse_float=lambda text: round(float(text), 12)
    )
    assert not any(isinstance(value, np.generic) for value in _leaves(body))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


def test_there_is_no_interval_of_the_skill_if_an_outcome_is_a_fraction() -> None:
    """The interval draws YES and NO. The skill itself is known."""
    cells = [
        Cell(agent="a", event=f"e{i:03}", market="m", window="1", p=q + 0.1, q=q, y=i % 2)
        for i, q in enumerate([0.3, 0.4, 0.5, 0.6] * 20)
    ]
    whole = report_of(cells, draws=200).scores()["a"]
    split = report_of([replace(cells[0], y=0.4), *cells[1:]], draws=200).scores()["a"]

    assert whole["skill_interval"] is not None
    assert split["skill_interval"] is None
    assert split["skill_interval_reason"].startswith("one outcome is a fraction between NO and YES")
    assert split["skill"] is not None
