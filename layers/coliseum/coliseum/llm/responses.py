"""The library's responses: what the model wrote in them, and the answer read from them put in its place.

The library validates an answer itself, and would ask again where it finds none. So an answer that was read locally is
written back in the form that it expects.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from coliseum.llm.reading import ReadAnswer, RefusedReply, ReplyTexts, read_reply
from coliseum.llm.results import storable_text

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import ModelRequestParameters

UNREADABLE = frozenset({"content_filter", "error"})
"""Reasons for the end of a reply after which what it holds is no answer."""


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """A response, in which the answer stands as the library expects it, if there is one."""

    response: ModelResponse
    repairs: tuple[str, ...] = ()
    refusal: str | None = None
    """Why no answer was read. The library must not take one either."""


def read_response(
    response: ModelResponse,
    output_type: type[Any],
    asked: ModelRequestParameters,
    *,
    noted: Sequence[str] = (),
) -> ReadResponse:
    """The response with its answer. `noted` are the repairs without which it could not have been parsed."""
    if not issubclass(output_type, BaseModel) or response.finish_reason in UNREADABLE:
        return ReadResponse(response, tuple(noted))
    calls = tuple(call.args for call in response.tool_calls)
    texts = ReplyTexts(
        calls,
        text="\n".join(part.content for part in response.parts if part.part_kind == "text"),
        reasoning="\n".join(part.content for part in response.parts if part.part_kind == "thinking"),
        complete=response.finish_reason != "length",
    )
    match read_reply(texts, output_type):
        case RefusedReply(reason):
            return ReadResponse(_with_known_calls(response, asked), tuple(noted), reason)
        case ReadAnswer(values, repairs):
            found = (*noted, *repairs, *_other_form(response, asked))
            return ReadResponse(_with_answer(response, values, asked) if found else response, found)


def _other_form(response: ModelResponse, asked: ModelRequestParameters) -> tuple[str, ...]:
    """How the form of the answer differs from the one that was asked for."""
    calls = response.tool_calls
    if not asked.output_tools:
        return ("call_for_text",) if calls else ()
    if not calls:
        return ("text_for_call",)
    if calls[0].tool_name != asked.output_tools[0].name:
        return ("tool_name",)
    return ("calls_twice",) if len(calls) > 1 else ()


def _with_answer(response: ModelResponse, values: dict[str, Any], asked: ModelRequestParameters) -> ModelResponse:
    from pydantic_ai.messages import TextPart, ToolCallPart

    thoughts = [part for part in response.parts if part.part_kind == "thinking"]
    if asked.output_tools:
        call = ToolCallPart(asked.output_tools[0].name, values)
        if response.tool_calls:
            call.tool_call_id = response.tool_calls[0].tool_call_id
        return replace(response, parts=[*thoughts, call])
    return replace(response, parts=[*thoughts, TextPart(json.dumps(values))])


def _with_known_calls(response: ModelResponse, asked: ModelRequestParameters) -> ModelResponse:
    """A refused response as an invalid answer. For a call of an unknown tool the library would ask once more."""
    if not asked.output_tools:
        return response
    from pydantic_ai.messages import ToolCallPart

    name = asked.output_tools[0].name
    parts = [
        ToolCallPart(name, cast("Any", part.args), tool_call_id=part.tool_call_id)
        if part.part_kind == "tool-call"
        else part
        for part in response.parts
    ]
    return replace(response, parts=parts)


def raw_reply(response: ModelResponse) -> str:
    """Texts and tool calls as the model sent them; its reasoning only where there is nothing else."""
    parts = [getattr(part, "content", None) for part in response.parts if part.part_kind == "text"]
    parts += [call.args if isinstance(call.args, str) else json.dumps(call.args) for call in response.tool_calls]
    said = [part for part in parts if part]
    if not said:
        said = [part.content for part in response.parts if part.part_kind == "thinking" and part.content]
    return storable_text("\n".join(said))
