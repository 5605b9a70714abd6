"""Every regular expression of the system, found in the source, driven with long hostile inputs.

A pattern whose parts can divide the same characters in several ways takes quadratic time or worse, and a request can
then freeze a process. A new pattern fails here until `EXAMPLES` holds a text that it accepts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import StringConstraints, TypeAdapter, ValidationError
from tests.fixtures.growth import assert_linear

from coliseum.arena.agents import written_numbers

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "layers/coliseum", ROOT / "layers/streaming", ROOT / "local", ROOT / "functions")
FUNCTIONS = frozenset(("compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"))

EXAMPLES: dict[str, str] = {
    r"<[A-Za-z/!?]": "<a",
    # requests and their fields
    r"[A-Z]{1,16} /[!-~]* HTTP/1\.[01]": "GET /a?b HTTP/1.1",
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}": "KXA-1.b",
    r"\{[^{}]*\}": "{ticker}",
    r"-([1-9]\d{0,6})(s|m|h|d)": "-15m",
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[-+ ]\d{2}:\d{2})": "2026-11-21T12:00:00.5Z",
    r"[a-z][a-z_]*": "new_trades",
    r"(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})": "10-2",
    r"[A-Za-z0-9._=-]{1,64}": "Root=1-a",
    r"[!-~]{1,200}": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    r"[0-9]{1,12}": "1795248000",
    r"[0-9]{1,12}(\.[0-9]{1,9})?": "17.5",
    r"[0-9]{1,18}(\.[0-9]{1,18})?": "1796062621.75",
    r"[A-Za-z0-9._-]{1,100}": "KXA-1.b",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$": "KXA-1.b",
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "market",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "r-2026Z",
    r"^[0-9]{4}Q[1-4]$": "2026Q4",
    r"^[0-9a-f]{64}$": "0123456789abcdef" * 4,
    r"^[0-9a-f]{16}$": "0123456789abcdef",
    r"^[a-z0-9_.]{1,40}$": "brier.mean",
    r"[0-9a-f]{32,128}": "0123456789abcdef" * 2,
    r'<([^<>]+)>; rel="next"': '</a?b>; rel="next"',
    # names of exports and of columns
    r"[a-z][a-z0-9_]*": "seal_roots2",
    r"(\d+)": "17",
    # numbers and JSON in models' replies
    written_numbers.ONE_PATTERN: "about 62,5 %",
    written_numbers.RANGE_PATTERN: "about from 60 % - 70 %",
    written_numbers.BETWEEN_PATTERN: "between 60 and 70 %",
    r"\+?[1-9]\d{0,2},\d{3}(?!\d)": "1,000",
    r"\d,\d|(?<!\d),\d": "0,5",
    "<(/?)(?:think|thinking|thought|thoughts|reasoning|analysis|scratchpad|reflection)>": "</think>",
    r'"\s*:|[{}]|\\"': '" :',
    "[{}]": "{",
    r"\w": "a",
    "[\x00\ud800-\udfff]": "\x00",
    "[A-Za-z0-9]+": "abc123",
    # addresses that outsiders chose
    r"[!-~]+": "https://a.b/",
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?": "a-b",
    r"-(\d{4}|\d{6}|\d{8}|\d{4}-\d{2}-\d{2})\Z": "-0901",
    # the roster
    r"[a-z0-9][a-z0-9._-]{0,63}": "gpt-6.1",
    r"[0-9.]+": "5.5",
    # outside agents
    r"whsec_[A-Za-z0-9+/]{43}=": "whsec_" + "aB3+/" * 8 + "abc=",
    r"clm_[A-Za-z0-9_-]{43}": "clm_" + "aB3_-" * 8 + "abc",
    r"[A-Za-z0-9_-]{43}": "aB3_-" * 8 + "abc",
    r"(?!-)[a-z0-9-]{1,63}(?<!-)": "a-b",
    r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:]{2,45}\](:\d{1,5})?": "a.b:8000",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.[A-Za-z0-9][A-Za-z0-9._-]{0,99}$": "r-1.A-1",
    # the arena's sources
    (
        r"(?:[A-Za-z]{3,9},? +)?(?P<day>\d{1,2}) +(?P<month>[A-Za-z]{3,9}) +(?P<year>\d{4}|\d{2})"
        r"(?: +(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))? +(?P<zone>[A-Za-z]{1,4}|[+-]\d{4}))?"
    ): "Tue, 01 Dec 2026 08:30:00 EST",
    (
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
        r"(?:[Tt ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,9})?)? "
        r"?(?P<zone>[Zz]|[+-]\d{2}:?\d{2}))?"
    ): "2026-12-01T08:30:00.5Z",
    r"display:none|visibility:hidden|visibility:collapse": "display:none",
    r"(?:opacity|font-size):0(?:\.0{1,9})?(?:[a-z%]{1,4})?(?:;|!|$)": "font-size:0.0px;",
    (
        r"(?:traders|bettors|futures|swaps|options|markets?) (?:[a-z]{1,12} ){0,2}"
        r"(?:see|pric|put|impl|assign|expect|give|gave)[a-z]{0,3} (?:[a-z]{1,12} ){0,3}"
        r"\d{1,3}(?:\.\d{1,2})? ?(?:%|percent|per cent|cents)"
    ): "traders see a 72.5%",
    r"\d{1,3}(?:\.\d{1,2})? ?(?:%|percent|per cent) (?:odds|implied)": "72.5 % odds",
    r"\d{1,3}(?:-to-|/|-)\d{1,3} (?:odds|favou?rite|underdog|shot)": "3-to-1 shot",
    r"\([+-]\d{3,4}\)": "(-110)",
    r"&(?![A-Za-z][A-Za-z0-9]{1,31};|#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};)": "&",
    # alerts
    r"^[a-z_]{1,40}:[A-Za-z0-9._-]{1,80}:[0-9]{1,12}$": "bot_offline:all:1796000000",
    r"[a-z][a-z0-9+.-]{1,30}": "tgram",
    r"[\s,]{1,100}(?=[a-z][a-z0-9+.-]{1,30}://)": ", tgram://",
    r"[0-9]{1,6}(\.[0-9]{1,4})?": "12.5",
    r"([01][0-9]|2[0-3]):([0-5][0-9])": "22:00",
    r"error=([0-9]{3})\b": "error=429",
    # settings, keys and names of models
    r"^[A-Za-z0-9:_.-]*$": "python:",
    r"^[A-Za-z0-9_.-]{1,40}$": "main",
    r"[^a-z0-9.-]+": ":[]",
    r"-----BEGIN ([A-Z0-9 ]+)-----": "-----BEGIN A KEY-----",
    r"\\r|\\n|\s": "\\n",
    r"^(openai|openai-chat|openai-responses|openrouter):": "openrouter:",
    r"~?[a-z0-9][a-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(:[a-z0-9-]+)?": "~a.b/C-d:free",
    # answers of the bot, the exchange and the database
    r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)\Z": "0.55",
    r"^-?[0-9]{1,15}(\.[0-9]{1,12})?\Z": "-1.5",
    r"^[0-9]{1,15}(\.[0-9]{1,12})?\Z": "1.5",
    r"^(?=[0-9.]*[1-9])[0-9]{1,15}(\.[0-9]{1,12})?\Z": "0.01",
    r"^[^\x00-\x1f\x7f]{1,200}\Z": "KXA-1.b",
    r"[0-9A-Z]{5}": "42P01",
    r"Object missing required field `(\w+)`": "Object missing required field `a_b`",
    r"(\w+)|\[(\d+)\]": "[1]",
    r"cursor|next|page|token": "cursor",
    r"[0-9]{1,15}(\.[0-9]{1,12})?": "0.55",
    r"-?[0-9]{1,15}(\.[0-9]{1,12})?": "-1.5",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}(Z|[+-][0-9]{2}:[0-9]{2})": "2026-11-21T12:00:00.5Z",
    r"Field validation for '(\w{1,60})' failed on the '\w{1,60}' tag": "Field validation for 'A' failed on the 'b' tag",
    r"parameter \W?(\w{1,60})\W? (?:is )?(?:required|missing)": "parameter 'a' is required",
    r"^[ -~]*$": "30",
    # the public client
    r"(\d{1,16})-(\d{1,16})": "10-2",
    r"\r\n|\n|\r": "\r\n",
    # the local system
    r"^(yes|no|scalar)$": "yes",
    r"^Mozilla/|\b(?:Chrome|Safari|Firefox)/": "Mozilla/",
    r"(\d{14})_([a-z0-9_]+)\.sql": "20261101000000_a_b.sql",
    r"[A-Za-z_][A-Za-z0-9_]{0,62}": "a_1",
    r'(?:(?P<alias>[^:"]+):(?!:))?(?P<name>\*|"(?:[^"\\]|\\.)+"|[^:"\s]+)(?:::(?P<cast>\w+))?': 'a:"b\\"c"::text',
    r"(?P<name>[^.]+)(?:\.(?P<way>asc|desc))?(?:\.nulls(?P<nulls>first|last))?": "a.desc.nullslast",
    r"\\(.)": "\\a",
    r"-?\d{1,15}": "-12",
    r"(not\.)?(and|or)(?=\()": "not.and(",
    r"(?:not\.)?\w+(?:\([^)]*\))?\.": "not.fts(a).",
    r"[^.,()\"]+": "ab",
    r"[^,()]*": "ab",
    r'"((?:[^"\\]|\\.)*)"': '"a\\"b"',
    r"#!lua[ \t]+flags=([a-z,-]+)[ \t]*(?=\n|\Z)": "#!lua  flags=a-b,c \n",
    r"^# ([A-Z][A-Z0-9_]+)=": "# LOG_LEVEL=",
    r"\$\{([^!{}]+)\}": "${A}",
    r"rate\((\d+) (\w+)\)": "rate(15 minutes)",
}
"""A text that each pattern accepts. Hostile inputs are made from its pieces."""
SEARCHED = frozenset(
    (
        r"[\s,]{1,100}(?=[a-z][a-z0-9+.-]{1,30}://)",
        r"display:none|visibility:hidden|visibility:collapse",
        r"(?:opacity|font-size):0(?:\.0{1,9})?(?:[a-z%]{1,4})?(?:;|!|$)",
        (
            r"(?:traders|bettors|futures|swaps|options|markets?) (?:[a-z]{1,12} ){0,2}"
            r"(?:see|pric|put|impl|assign|expect|give|gave)[a-z]{0,3} (?:[a-z]{1,12} ){0,3}"
            r"\d{1,3}(?:\.\d{1,2})? ?(?:%|percent|per cent|cents)"
        ),
        r"\d{1,3}(?:\.\d{1,2})? ?(?:%|percent|per cent) (?:odds|implied)",
        r"\d{1,3}(?:-to-|/|-)\d{1,3} (?:odds|favou?rite|underdog|shot)",
        r"\([+-]\d{3,4}\)",
        r"&(?![A-Za-z][A-Za-z0-9]{1,31};|#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};)",
        r"-----BEGIN ([A-Z0-9 ]+)-----",
        r"\\r|\\n|\s",
        r"^(openai|openai-chat|openai-responses|openrouter):",
        r"\r\n|\n|\r",
        r"\.(\w+)|\[(\d+)\]",
        r"^Mozilla/|\b(?:Chrome|Safari|Firefox)/",
        r"\\(.)",
        r"^# ([A-Z][A-Z0-9_]+)=",
        r"\$\{([^!{}]+)\}",
    )
)
"""Looked for anywhere in a text."""
TOKENS = frozenset(
    (
        r"(not\.)?(and|or)(?=\()",
        r"(?:not\.)?\w+(?:\([^)]*\))?\.",
        r"[^.,()\"]+",
        r"[^,()]*",
        r'"((?:[^"\\]|\\.)*)"',
        r"#!lua[ \t]+flags=([a-z,-]+)[ \t]*(?=\n|\Z)",
    )
)
"""Matched at one position, with more text behind. All others must match the whole text."""
PIECES = (" ", "0", "a", "A", ".", "-", "_", "/", ":", ",", "(", "\\", '"', "\t", "\n", "\r", "\x01", "é")


class Use(NamedTuple):
    """One pattern in the source."""

    place: str
    text: str
    pydantic: bool
    """A constraint of a field. Pydantic's engine is linear by construction, and its `$` is the end of the text."""


@cache
def uses() -> tuple[Use, ...]:
    return tuple(
        use for package in PACKAGES for file in sorted(package.rglob("*.py")) for use in _uses_in(package, file)
    )


def _uses_in(package: Path, file: Path) -> Iterator[Use]:
    name = ".".join(file.relative_to(package).with_suffix("").parts)
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call):
            continue
        place = f"{file.relative_to(ROOT)}:{node.lineno}"
        function = node.func
        of_re = (
            isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"
        )
        if of_re and isinstance(function, ast.Attribute) and function.attr in FUNCTIONS:
            yield Use(place, _value(name, node.args[0]), pydantic=False)
        values = [_value(name, keyword.value) for keyword in node.keywords if keyword.arg == "pattern"]
        # msgspec's constraint is one that `re` searches for
        yield from (Use(place, value, pydantic=ast.unparse(function) != "Meta") for value in values)


def _value(module: str, node: ast.expr) -> str:
    """A literal, or a constant of the module. Anything else cannot be tested here and must not be written."""
    value = getattr(import_module(module), node.id) if isinstance(node, ast.Name) else ast.literal_eval(node)
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def test_every_pattern_has_an_example_that_it_accepts() -> None:
    found = {use.text: use.place for use in uses()}
    assert {text: place for text, place in found.items() if text not in EXAMPLES} == {}
    assert EXAMPLES.keys() - found.keys() == set()
    assert [text for text, example in EXAMPLES.items() if not _accepts(text, example)] == []


def test_no_pattern_ends_with_a_dollar() -> None:
    """For `re`, `$` also matches before a line break at the end: `fullmatch` is meant."""
    assert [use.place for use in uses() if not use.pydantic and re.search(r"(?<!\\)\$$", use.text)] == []


def test_a_constraint_on_a_field_refuses_a_line_break_at_the_end() -> None:
    constraints = {use.text for use in uses() if use.pydantic}
    assert constraints
    for text in constraints:
        field: TypeAdapter[Any] = TypeAdapter(Annotated[str, StringConstraints(pattern=text)])
        assert field.validate_python(EXAMPLES[text])
        with pytest.raises(ValidationError):
            field.validate_python(EXAMPLES[text] + "\n")


@pytest.mark.parametrize("text", sorted(EXAMPLES))
def test_a_hostile_text_takes_time_linear_in_its_length(text: str) -> None:
    run = _run(text)
    example = EXAMPLES[text]
    # After each beginning of an accepted text one piece is repeated, and then the text turns out to be wrong.
    cuts = range(min(len(example), 12) + 1)
    for piece in sorted({*PIECES, *example}):

        def work(length: int, piece: str = piece) -> None:
            for cut in cuts:
                run(example[:cut] + piece * (length // 2) + "\0")

        assert_linear(work)


def _run(text: str) -> Callable[[str], object]:
    pattern = re.compile(text, re.MULTILINE)
    if text in SEARCHED:
        return pattern.findall
    return pattern.match if text in TOKENS else pattern.fullmatch


def _accepts(text: str, example: str) -> bool:
    return bool(_run(text)(example))
