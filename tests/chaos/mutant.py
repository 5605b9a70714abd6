"""A deliberate break of the code, which a test must find."""

from __future__ import annotations

from dataclasses import dataclass

MACHINE = ("tests/chaos/test_delivery_cases.py", "tests/chaos/test_delivery.py")


@dataclass(frozen=True)
class Mutant:
    """`old`, found exactly once in `path`, becomes `new`."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = MACHINE
