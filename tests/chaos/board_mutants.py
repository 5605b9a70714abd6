"""Deliberate breaks of scoring, claims, exports and verification."""

from __future__ import annotations

from tests.chaos.mutant import Mutant

_ARENA = "layers/coliseum/coliseum/arena"
_SCORING = f"{_ARENA}/scoring"
_CHECKS = "local/coliseum_local/verification"
_TESTS = "tests/unit/arena/scoring"
_VERIFY = ("tests/contract/test_verify.py", "tests/contract/test_verify_fields.py")
_CLAIMS = "supabase/migrations/20261201000700_arena_claims.sql"

BOARD_MUTANTS = (
    # The bounds that hold at every look
    Mutant(
        "a bet may lose more than it has",
        f"{_SCORING}/confidence_sequence.py",
        "large = stake * loss > LARGEST_STEP",
        "large = stake * loss > 1e9",
        (f"{_TESTS}/test_confidence_sequence.py",),
    ),
    Mutant(
        "the bounds need half the stake",
        f"{_SCORING}/confidence_sequence.py",
        "BAR = 40.0",
        "BAR = 20.0",
        (f"{_TESTS}/test_confidence_sequence.py",),
    ),
    Mutant(
        "clusters in the order of their results",
        f"{_SCORING}/clusters.py",
        '{"due_at": table.due_at, "settled_at": table.settled_at}',
        '{"settled_at": table.settled_at, "due_at": table.due_at}',
        (f"{_TESTS}/test_clusters.py",),
    ),
    Mutant(
        "clusters behind an open one count",
        f"{_SCORING}/clusters.py",
        "return np.asarray(place < limit[bets.agent])",
        "return np.asarray(~waits)",
        (f"{_TESTS}/test_clusters.py", f"{_TESTS}/test_confidence_sequence.py"),
    ),
    Mutant(
        "every window counts",
        f"{_SCORING}/clusters.py",
        "return bets.select(first_windows(bets.agent * len(table.events) + bets.event, bets.window))",
        "return bets",
        (f"{_TESTS}/test_confidence_sequence.py", f"{_TESTS}/test_evidence.py"),
    ),
    # Intervals and tiers
    Mutant(
        "an interval without enough expected YES",
        f"{_SCORING}/line_interval.py",
        "    if expected < LEAST_EXPECTED:",
        "    if expected < 0:",
        (f"{_TESTS}/test_line_interval.py",),
    ),
    Mutant(
        "the outcomes that came decide whether there is an interval",
        f"{_SCORING}/line_interval.py",
        "price=ratio(totals(bets.share * bets.price, column, size), stands),",
        "price=ratio(totals(bets.share * bets.y, column, size), stands),",
        (f"{_TESTS}/test_line_interval.py",),
    ),
    Mutant(
        "an interval for fractions",
        f"{_SCORING}/line_interval.py",
        "    if not number:\n        return None\n    some",
        "    if number >= 0:\n        return None\n    some",
        (f"{_TESTS}/test_line_interval.py", f"{_TESTS}/test_report.py"),
    ),
    Mutant(
        "the error of a draw is not computed again",
        f"{_SCORING}/sign_flips.py",
        "        off += np.square(mean) * self._squared_sizes\n",
        "        off = np.broadcast_to(self._squares, off.shape)\n",
        (f"{_TESTS}/test_sign_flips.py",),
    ),
    Mutant(
        "a sign for each draw",
        f"{_SCORING}/sign_flips.py",
        "yield start, 1.0 - 2.0 * drawn",
        "yield start, np.repeat(1.0 - 2.0 * drawn[:, :1], size, axis=1)",
        (f"{_TESTS}/test_sign_flips.py", f"{_TESTS}/test_tiers.py"),
    ),
    Mutant(
        "tiers split too easily",
        f"{_SCORING}/tiers.py",
        "LEVEL = 0.04",
        "LEVEL = 0.4",
        ("tests/simulation/test_tiers.py",),
    ),
    Mutant(
        "the last bits of a sum decide a rank",
        f"{_ARENA}/leaderboard.py",
        'round(values["skill"], PLACES) + 0.0',
        'float(values["skill"])',
        ("tests/unit/arena/test_leaderboard.py",),
    ),
    # What goes in
    Mutant(
        "no price agrees with every price",
        f"{_SCORING}/consistency.py",
        "rows = rows[~(_absent(column[rows]) & _absent(column[first[rows]]))]",
        "rows = rows[~(_absent(column[rows]) | _absent(column[first[rows]]))]",
        (f"{_TESTS}/test_consistency.py",),
    ),
    Mutant(
        "the last of two keys counts",
        "layers/coliseum/coliseum/json_objects.py",
        "if len(found) != len(pairs):",
        "if len(found) > len(pairs):",
        ("tests/unit/test_json_objects.py",),
    ),
    # Claims
    Mutant(
        "a claim can be changed",
        _CLAIMS,
        "create trigger arena_claims_kept before update or delete on arena_claims\n",
        "create trigger arena_claims_kept before delete on arena_claims\n",
        ("tests/contract/test_arena_claims.py",),
    ),
    Mutant(
        "an event counts if one of its rounds is later",
        _CLAIMS,
        "having min(b.began_at) > (select",
        "having max(b.began_at) > (select",
        ("tests/integration/test_arena_claims.py",),
    ),
    Mutant(
        "a claim looks at the price before its only look",
        f"{_SCORING}/claim_verdicts.py",
        "    if until < moment:\n",
        "    if until < 0:\n",
        (f"{_TESTS}/test_claim_verdicts.py",),
    ),
    # Exports and verification
    Mutant(
        "an export ends after its first batch",
        f"{_ARENA}/api/exports/exports.py",
        "            if len(rows) < size:\n",
        "            if rows:\n",
        ("tests/contract/test_arena_exports.py",),
    ),
    Mutant(
        "later pages have later rows",
        f"{_ARENA}/api/exports/exports.py",
        "if position is None else str(position.get(_UNTIL))",
        "if True else str(position.get(_UNTIL))",
        ("tests/contract/test_arena_exports.py",),
    ),
    Mutant(
        "numbers are compared to three places",
        f"{_CHECKS}/differences.py",
        "PLACES = 12",
        "PLACES = 3",
        ("tests/unit/local/verification/test_differences.py",),
    ),
    Mutant(
        "a price that was not shown is verified",
        f"{_CHECKS}/checks.py",
        'for name in ("probability", "yes_bid", "yes_ask"):',
        'for name in ("yes_bid", "yes_ask"):',
        _VERIFY,
    ),
    Mutant(
        "a broken chain of claims is verified",
        f"{_CHECKS}/claims.py",
        '"chain": chain_after(row.previous, row.seal, row.registered_at)',
        '"chain": row.chain',
        _VERIFY,
    ),
    Mutant(
        "a verdict of a claim is believed",
        f"{_CHECKS}/board.py",
        "        yield from _look_differences(rows, recomputed)\n",
        "        yield from ()\n",
        _VERIFY,
    ),
)
