"""A chat completion in the form that the library reads. Pure.

Servers that speak OpenAI's protocol differ in details: a local one names no provider, some send the content as a list
of parts, the arguments of a call as an object, or reasoning under other names. The library refuses such a reply, which
has been paid for. What is missing is not invented: no cost, no tokens, no answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from coliseum.llm.results import CHARACTERS_REPLACED, storable_json, usable_tokens

FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "error"})
_DETAILS = {"reasoning.text": "text", "reasoning.summary": "summary", "reasoning.encrypted": "data"}


def readable_completion(document: Any) -> tuple[Any, tuple[str, ...]]:
    """The document with the differences removed, and what was repaired. Errors and other documents stay as they are."""
    repairs: list[str] = []
    received, document = document, storable_json(document)
    if document != received:
        repairs.append(CHARACTERS_REPLACED)
    if not isinstance(document, dict) or not isinstance(document.get("choices"), list):
        return document, tuple(repairs)
    if document.get("error") is not None:
        return document, tuple(repairs)
    document["object"] = "chat.completion"
    if type(document.get("created")) is not int:  # seconds since 1970; some servers send fractions or a text
        document.pop("created", None)
    _leave_out(document, texts=("system_fingerprint", "service_tier"), unread=("moderation",))
    if not isinstance(document.get("provider"), str):
        document["provider"] = ""
    if "usage" in document:
        document["usage"] = _readable_usage(document["usage"])
    for name in ("id", "model"):
        if not isinstance(document.get(name), str):
            document[name] = ""
    for number, choice in enumerate(document["choices"]):
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
            _readable_choice(choice, number, repairs)
    return document, tuple(dict.fromkeys(repairs))


_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
_TOKEN_DETAILS = ("prompt_tokens_details", "completion_tokens_details")


def _readable_usage(usage: Any) -> dict[str, Any] | None:
    """The usage without numbers that cannot be true. A bad bill must not lose the answer that it is for.

    One bad number makes all tokens unknown (0). A cost that is no number becomes NaN, which counts as refused.
    """
    if not isinstance(usage, dict):
        return None
    readable = {**usage}
    counts = [usage.get(name) for name in _TOKENS]
    if any(count is not None and usable_tokens(count) is None for count in counts):
        readable |= dict.fromkeys(_TOKENS, 0)
    for name in _TOKENS:
        readable[name] = readable.get(name) or 0
    for name in _TOKEN_DETAILS:
        details = usage.get(name)
        if not isinstance(details, dict) or any(usable_tokens(count or 0) is None for count in details.values()):
            readable.pop(name, None)
    if not isinstance(usage.get("cost"), int | float | None):
        readable["cost"] = float("nan")
    if not isinstance(usage.get("is_byok"), bool | None):
        readable["is_byok"] = None
    details = usage.get("cost_details")
    if not isinstance(details, dict) or not all(isinstance(cost, int | float | None) for cost in details.values()):
        readable.pop("cost_details", None)
    return readable


def _readable_choice(choice: dict[str, Any], number: int, repairs: list[str]) -> None:
    message = choice["message"]
    if not isinstance(choice.get("index"), int):
        choice["index"] = number
    reason = choice.get("finish_reason")
    _leave_out(choice, texts=("native_finish_reason",), unread=("logprobs",))
    if not isinstance(reason, str) or reason not in FINISH_REASONS:  # the library handles a missing one
        choice["finish_reason"] = "stop" if reason else None
    message["role"] = "assistant"
    if isinstance(message.get("content"), list):
        repairs.append("content_parts")
        thoughts = _join(message["content"], ("thinking", "reasoning"))
        message["content"] = _join(message["content"], ("text", "output_text"))
        if thoughts and not message.get("reasoning"):
            message["reasoning"] = thoughts
    elif isinstance(message.get("content"), dict):
        repairs.append("content_object")
        message["content"] = json.dumps(message["content"])
    _readable_reasoning(message)
    _readable_calls(message, repairs)
    _leave_out(message, texts=("refusal",), unread=("annotations", "audio"))


def _leave_out(part: dict[str, Any], *, texts: tuple[str, ...], unread: tuple[str, ...]) -> None:
    """Remove what the library would check and nobody reads, and what should be a text and is none."""
    for name in texts:
        if not isinstance(part.get(name), str):
            part.pop(name, None)
    for name in unread:
        part.pop(name, None)


def _join(parts: list[Any], kinds: tuple[str, ...]) -> str:
    """The texts of the parts of these kinds. A part without a kind is a text."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str) and "text" in kinds:
            texts.append(part)
        elif isinstance(part, Mapping) and part.get("type", "text") in kinds:
            value = next((part[name] for name in ("text", "thinking", "reasoning", "content") if part.get(name)), "")
            texts.append(
                value if isinstance(value, str) else _join(value, ("text",)) if isinstance(value, list) else ""
            )
    return "".join(texts)


def _readable_reasoning(message: dict[str, Any]) -> None:
    """The reasoning as one text, whatever its name. Details of an unknown kind are left out."""
    details = message.get("reasoning_details")
    if details is not None and not (isinstance(details, list) and all(_known_detail(detail) for detail in details)):
        del message["reasoning_details"]
        if not message.get("reasoning") and isinstance(details, list):
            message["reasoning"] = _join(details, ("text", *_DETAILS))
    for name in ("reasoning", "reasoning_content", "thinking"):
        value = message.get(name)
        if isinstance(value, list):
            message[name] = _join(value, ("text", "thinking", "reasoning"))
        elif value is not None and not isinstance(value, str):
            message[name] = None
    if not message.get("reasoning"):
        message["reasoning"] = message.get("reasoning_content") or message.get("thinking") or None


def _known_detail(detail: Any) -> bool:
    return isinstance(detail, dict) and isinstance(detail.get(_DETAILS.get(str(detail.get("type")), "")), str)


def _readable_calls(message: dict[str, Any], repairs: list[str]) -> None:
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) else [calls] if isinstance(calls, dict) else []
    old = message.pop("function_call", None)
    if not calls and isinstance(old, dict) and (old.get("name") or old.get("arguments")):
        repairs.append("function_call")
        calls = [{"function": old}]
    readable = [_readable_call(call, number, repairs) for number, call in enumerate(calls) if isinstance(call, dict)]
    message["tool_calls"] = [call for call in readable if call is not None] or None


def _readable_call(call: dict[str, Any], number: int, repairs: list[str]) -> dict[str, Any] | None:
    function = call.get("function")
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        repairs.append("arguments_object")
        arguments = json.dumps(arguments)
    name, call_id = function.get("name"), call.get("id")
    return {
        **call,
        "id": call_id if isinstance(call_id, str) and call_id else f"call-{number}",
        "type": "function",
        "function": {**function, "name": name if isinstance(name, str) else "", "arguments": arguments},
    }
