"""Which query parameters a route takes. One that it does not take is an error: a typing error must not look like an
answer to the question that was meant. Pure, and without a framework, because the streams use it too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """A query parameter that the route refuses."""

    name: str
    message: str


def parameter_problems(
    names: Iterable[str], known: Collection[str], *, repeatable: Collection[str] = ()
) -> list[ParameterProblem]:
    """The problems of a query with these `names`, each name once, in the query's order.

    A name that is not in `known` is a problem, and so is one that occurs twice and is not in `repeatable`.
    """
    taken = ", ".join(sorted(known))
    expected = f"this route takes {taken}" if known else "this route takes no query parameters"
    problems: list[ParameterProblem] = []
    for name, count in Counter(list(names)).items():
        shown = name if len(name) <= _SHOWN_CHARACTERS else f"{name[: _SHOWN_CHARACTERS - 3]}..."
        if name not in known:
            problems.append(ParameterProblem(shown, f"unknown parameter; {expected}"))
        elif count > 1 and name not in repeatable:
            problems.append(ParameterProblem(shown, f"given {count} times; give it once"))
    return problems
