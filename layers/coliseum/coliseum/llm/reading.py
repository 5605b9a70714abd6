"""What a reply means, found out locally, before a second one is paid for. Pure.

A reply is read where it has one meaning only: one answer, in whatever wrapping. Each thing that had to be done is
noted as a repair. Two answers that differ are refused, with the reason, which is also sent back to the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError, ValidationInfo

from coliseum.llm.json_texts import BrokenJson, JsonText, json_values, letters, wrapped_answers
from coliseum.llm.results import CHARACTERS_REPLACED, storable_json

WRAPPERS = frozenset(
    {
        "answer",
        "args",
        "arguments",
        "content",
        "data",
        "finalanswer",
        "finalresult",
        "forecast",
        "function",
        "input",
        "json",
        "output",
        "parameters",
        "prediction",
        "properties",
        "reply",
        "response",
        "result",
        "structuredoutput",
        "toolinput",
        "value",
    }
)
"""Names under which models put a whole answer, in letters only."""


@dataclass(frozen=True, slots=True)
class ReplyTexts:
    """The texts of a reply in which an answer may be."""

    calls: tuple[str | Mapping[str, Any] | None, ...]
    """The arguments of its tool calls."""
    text: str
    reasoning: str
    complete: bool = True
    """The reply was not cut off. An answer in the reasoning of one that was cut off would be a draft."""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """The values of the answer, valid for the output type, and what was repaired."""

    values: dict[str, Any]
    repairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusedReply:
    """No answer was read, for this reason."""

    reason: str


def note(info: ValidationInfo, repair: str) -> None:
    """Note a repair from within a validator of the output type. Without a reading nothing is noted."""
    if isinstance(info.context, list) and repair not in info.context:
        info.context.append(repair)


def read_reply(reply: ReplyTexts, output_type: type[BaseModel]) -> ReadAnswer | RefusedReply:
    """The answer of a reply, or why there is none.

    A tool call counts like a text. The reasoning counts only where the reply has nothing else, and ends with it.
    """
    try:
        found = list(_visible(reply))
        if not found and reply.complete:
            found = [
                JsonText(value.value, ("reasoning_only", *value.repairs), value.last)
                for value in json_values(reply.reasoning)
            ]
            if found and not found[-1].last:
                return RefusedReply("the reply is empty, and its reasoning does not end with an answer")
        return _only_answer(found, output_type)
    except BrokenJson as broken:
        return RefusedReply(str(broken))


def _visible(reply: ReplyTexts) -> Iterator[JsonText]:
    for arguments in reply.calls:
        if isinstance(arguments, Mapping):
            yield JsonText(dict(arguments))
        elif arguments:
            yield from json_values(arguments)
    text = reply.text.strip()
    if not text:
        return
    try:
        values = json_values(text)
    except BrokenJson:
        if not reply.calls or "{" in text:
            raise
        return  # words beside a tool call
    yield from values


def _only_answer(found: Iterable[JsonText], output_type: type[BaseModel]) -> ReadAnswer | RefusedReply:
    readings: list[ReadAnswer] = []
    refusals: list[RefusedReply] = []
    for value in found:
        match _answer_in(value, output_type):
            case ReadAnswer() as reading:
                readings.append(reading)
            case RefusedReply() as refused:
                refusals.append(refused)
            case None:
                continue
    if refusals:  # also beside one that can be read: which of them counts?
        return refusals[0]
    if not readings:
        return RefusedReply(f"the reply has no object with {_named(_answer_fields(output_type))}")
    first, *others = readings
    for other in others:
        differing = [name for name in _answer_fields(output_type) if first.values.get(name) != other.values.get(name)]
        if differing:
            return RefusedReply(f"the reply has two different answers: they differ in {_named(differing)}")
    return first


def _answer_in(value: JsonText, output_type: type[BaseModel]) -> ReadAnswer | RefusedReply | None:
    """The answer in one JSON value: the outermost object that has a field of an answer."""
    fields = {letters(name) for name in _answer_fields(output_type)}
    names = WRAPPERS | {letters(output_type.__name__)}
    inside = wrapped_answers(value.value, lambda found: not fields.isdisjoint(letters(str(n)) for n in found), names)
    if not inside:
        return None
    readings = [_validated(found, value.repairs, output_type) for found in inside]
    first, *others = readings
    if any(
        isinstance(other, RefusedReply) or isinstance(first, RefusedReply) or other.values != first.values
        for other in others
    ):
        return RefusedReply("the reply has two different answers")
    return first


def _validated(found: JsonText, outer: tuple[str, ...], output_type: type[BaseModel]) -> ReadAnswer | RefusedReply:
    value = storable_json(found.value)
    noted: list[str] = [] if value == found.value else [CHARACTERS_REPLACED]
    try:
        answer = output_type.model_validate(value, context=noted)
    except ValidationError as error:
        return RefusedReply(_reason(error))
    repairs = dict.fromkeys((*outer, *found.repairs, *noted))
    return ReadAnswer(answer.model_dump(mode="json"), tuple(repairs))


def _answer_fields(output_type: type[BaseModel]) -> list[str]:
    """The fields that make an object an answer: named by the output type, or else all."""
    named = getattr(output_type, "answer_fields", None)
    return sorted(named) if named else list(output_type.model_fields)


def _reason(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))))
        for problem in problems[:3]
    )


def _named(names: Iterable[str]) -> str:
    return " or ".join(names)
