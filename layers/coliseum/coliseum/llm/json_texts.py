"""The JSON values in a model's text, whatever stands around them. Pure.

A text is read as a whole or not at all. Of a text that was cut off, or whose JSON is broken, no part is taken: an inner
object of a broken answer could be anything, such as an example.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_TEXT = 40_000
"""Characters. An answer has about 2,000."""
LONGEST_RELAXED = 20_000
"""JSON5 is read by a parser in Python, which needs a second for so much."""
_TAG = re.compile(
    "<(/?)(?:think|thinking|thought|thoughts|reasoning|analysis|scratchpad|reflection)>", re.IGNORECASE | re.ASCII
)
_FENCE = "```"
_BRACE = re.compile("[{}]")
_FRAGMENT = re.compile(r'"\s*:|[{}]|\\"')
"""What is left of JSON outside the objects that were found: a sign that these are parts of something broken."""


class BrokenJson(ValueError):
    """The text has no JSON that can be read as a whole. The message says why."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """A value, and what had to be done to read it."""

    value: Any
    repairs: tuple[str, ...] = ()
    last: bool = True
    """Nothing but punctuation stands after it."""


def json_values(text: str) -> list[JsonText]:
    """The outermost JSON values of the text. Raises BrokenJson where there is none, or where one is incomplete."""
    if len(text) > LONGEST_TEXT:
        raise BrokenJson(f"the reply has more than {LONGEST_TEXT} characters")
    repairs: tuple[str, ...] = ()
    plain = text.strip().removeprefix("\ufeff").strip()
    if (whole := _whole(plain)) is not None:
        return [whole]
    spoken = _without_thoughts(plain)
    if spoken != plain:
        repairs, plain = ("thoughts",), spoken
        if (whole := _whole(plain)) is not None:
            return [JsonText(whole.value, (*repairs, *whole.repairs))]
    found = _fenced(plain) or _scattered(plain) or _escaped(plain) or _relaxed(plain)
    if not found:
        raise BrokenJson("the reply has no complete JSON object")
    return [JsonText(value.value, (*repairs, *value.repairs), value.last) for value in found]


def parse(text: str, *, strict: bool = True) -> Any:
    """JSON. Raises BrokenJson.

    Two different values for one name are an error, because JSON does not say which of them counts.
    """
    try:
        return json.loads(text, strict=strict, object_pairs_hook=_once)
    except RecursionError:
        raise BrokenJson("the reply is nested too deeply") from None
    except BrokenJson:
        raise
    except ValueError as error:
        raise BrokenJson(f"the reply is no JSON: {error}") from None


class DoubledName(BrokenJson):
    """One object has two different values under one name."""


def _once(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(items)
    value = dict(pairs)
    if len(value) < len(pairs):
        for name, other in pairs:
            if value[name] != other:
                raise DoubledName(f"the reply gives two different values for {name[:40]!r}")
    return value


def _whole(text: str) -> JsonText | None:
    for strict, repairs in ((True, ()), (False, ("control_characters",))):
        try:
            return JsonText(parse(text, strict=strict), repairs)
        except DoubledName:
            raise
        except BrokenJson:
            continue
    return None


def _without_thoughts(text: str) -> str:
    """The text without its thoughts.

    Thoughts that end without having begun started with the text. Thoughts without an end were cut off: all after their
    beginning is thought.
    """
    spoken: list[str] = []
    position, inside = 0, False
    for tag in _TAG.finditer(text):
        closing = tag[1] == "/"
        if closing and not inside:
            spoken.clear()
        elif not closing and not inside:
            spoken.append(text[position : tag.start()])
        inside = not closing
        position = tag.end()
    return "".join(spoken if inside else (*spoken, text[position:])).strip()


def _fenced(text: str) -> list[JsonText]:
    parts = text.split(_FENCE)
    blocks, outside = parts[1::2], parts[::2]
    if len(parts) % 2 == 0 or not blocks or _FRAGMENT.search(" ".join(outside)):
        return []
    found: list[JsonText] = []
    for number, block in enumerate(blocks):
        body = _body(block)
        value = _whole(body) or next(iter(_relaxed(body)), None)
        if value is None:
            return []  # one block is broken; the other one may be a draft
        last = number == len(blocks) - 1 and not re.search(r"\w", outside[-1])
        found.append(JsonText(value.value, ("code_fence", *value.repairs), last))
    return found


def _body(block: str) -> str:
    """The text of a code block without the name of its language."""
    language, _, body = block.partition("\n")
    return block.strip() if set(language) & set('{["') else body.strip()


def _scattered(text: str) -> list[JsonText]:
    """Objects with text around them."""
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_once)
    found: list[JsonText] = []
    outside: list[str] = []
    position = 0
    while (start := text.find("{", position)) >= 0:
        outside.append(text[position:start])
        try:
            value, end = decoder.raw_decode(text, start)
        except DoubledName:
            raise
        except (ValueError, RecursionError):
            closing = _closing(text, start)
            if closing is None or _FRAGMENT.search(text[start + 1 : closing - 1]):
                return []
            outside.append(" ")
            end = closing
        else:
            found.append(JsonText(value, ("text_around",), last=False))
        position = end
    outside.append(text[position:])
    if found and not re.search(r"\w", outside[-1]):
        found[-1] = JsonText(found[-1].value, found[-1].repairs)
    # An array around the objects, or half of an object, is no text around them.
    return [] if _FRAGMENT.search("".join(outside)) else found


def _closing(text: str, start: int) -> int | None:
    """The end of the braces that open at `start`; None where they stay open."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return None


def _escaped(text: str) -> list[JsonText]:
    r"""An object whose quotes are still escaped: `{\"probability\": 0.62}`."""
    if not text.startswith("{") or '\\"' not in text:
        return []
    try:
        inner = parse(f'"{text}"', strict=False)
        return [JsonText(parse(inner, strict=False), ("encoded_twice",))] if isinstance(inner, str) else []
    except DoubledName:
        raise
    except BrokenJson:
        return []


def _relaxed(text: str) -> list[JsonText]:
    """JSON5: trailing commas, comments, single quotes, names without quotes. Its grammar gives them one meaning."""
    if not text.startswith(("{", "[")) or len(text) > LONGEST_RELAXED:
        return []
    import json5

    doubled: list[DoubledName] = []  # the library turns an error of the hook into one of its own

    def once(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        pairs = list(items)
        try:
            return _once(pairs)
        except DoubledName as error:
            doubled.append(error)
            return dict(pairs)

    try:
        value = json5.loads(text, object_pairs_hook=once, allow_duplicate_keys=True)
    except (ValueError, RecursionError):
        return []
    if doubled:
        raise doubled[0]
    return [JsonText(value, ("relaxed_json",))]


def wrapped_answers(
    value: Any, is_answer: Callable[[Mapping[Any, Any]], bool], names: frozenset[str]
) -> list[JsonText]:
    """The outermost objects in `value` that are answers: in texts that hold JSON, arrays of one element, wrappers.

    `names` are the names of wrappers, in lower case and letters only. Objects under other names are not looked into:
    they may be an example or another market.
    """
    return list(_answers(value, is_answer, names, depth=6))


def _answers(
    value: Any, is_answer: Callable[[Mapping[Any, Any]], bool], names: frozenset[str], *, depth: int
) -> Iterator[JsonText]:
    if isinstance(value, dict) and is_answer(value):
        yield JsonText(value)
    elif depth:
        for part, repairs in _parts(value, names):
            for found in _answers(part, is_answer, names, depth=depth - 1):
                yield JsonText(found.value, (*repairs, *found.repairs))


def _parts(value: Any, names: frozenset[str]) -> list[tuple[Any, tuple[str, ...]]]:
    if isinstance(value, list) and len(value) == 1:
        return [(value[0], ("one_element_array",))]
    if isinstance(value, dict):
        return [(part, ("wrapped",)) for name, part in value.items() if letters(name) in names]
    if not isinstance(value, str):
        return []
    try:
        return [(found.value, found.repairs or ("encoded_twice",)) for found in json_values(value)]
    except DoubledName:
        raise
    except BrokenJson:
        return []  # words


def letters(name: str) -> str:
    """The letters and digits of a name, in lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
