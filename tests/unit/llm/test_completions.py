from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.llm.completions import readable_completion
from coliseum.llm.results import usable_cost


def completion(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": "stop", "message": message}], **more}


def message_of(message: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    document, repairs = readable_completion(completion(message))
    return document["choices"][0]["message"], repairs


def test_what_a_local_server_leaves_out_is_empty_and_not_invented() -> None:
    document, repairs = readable_completion(completion({"content": "Yes."}))
    assert (document["provider"], document["model"], document["id"]) == ("", "", "")
    assert "usage" not in document
    assert repairs == ()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        (["a", "b"], "ab"),
        ([{"text": "a"}, {"type": "image_url", "image_url": {}}], "a"),
        ([{"type": "output_text", "text": "a"}], "a"),
        ({"a": 1}, '{"a": 1}'),
        ([], ""),
    ],
)
def test_content_becomes_one_text(content: Any, text: str) -> None:
    message, repairs = message_of({"content": content})
    assert message["content"] == text
    assert repairs in {("content_parts",), ("content_object",)}


def test_thoughts_among_the_parts_are_reasoning() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]
    message, _ = message_of({"content": parts})
    assert (message["content"], message["reasoning"]) == ("a", "hm")


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "thinking"])
def test_reasoning_has_one_name(name: str) -> None:
    assert message_of({"content": None, name: "hm"})[0]["reasoning"] == "hm"
    assert message_of({"content": None, name: 3})[0]["reasoning"] is None


def test_details_that_the_library_knows_are_kept() -> None:
    known = [{"type": "reasoning.text", "text": "hm"}]
    assert message_of({"reasoning_details": known})[0]["reasoning_details"] == known
    message, _ = message_of({"reasoning_details": [{"type": "new", "text": "hm"}, {"type": "text", "text": "ok"}]})
    assert "reasoning_details" not in message
    assert message["reasoning"] == "ok"


def test_a_call_is_in_the_present_form() -> None:
    message, repairs = message_of({"function_call": {"name": "f", "arguments": {"a": 1}}})
    assert message["tool_calls"] == [
        {"id": "call-0", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    ]
    assert repairs == ("function_call", "arguments_object")
    assert message_of({"tool_calls": [None, {"id": 3}]})[0]["tool_calls"] is None


def test_characters_that_cannot_be_stored_are_replaced_everywhere() -> None:
    document, repairs = readable_completion({"error": {"message": "a\ud800", "b\0": ["\0"]}})
    assert document == {"error": {"message": "a\ufffd", "b\ufffd": ["\ufffd"]}}
    assert repairs == ("characters_replaced",)


@pytest.mark.parametrize(
    "document", [None, [], "x", 3, {"error": {"code": 502}}, {"choices": None}, {"choices": [], "error": {}}]
)
def test_other_documents_stay_as_they_are(document: Any) -> None:
    assert readable_completion(copy.deepcopy(document)) == (document, ())


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["content", "reasoning", "reasoning_content", "reasoning_details", "tool_calls", "function_call", "annotations"]


@given(st.dictionaries(st.sampled_from(NAMES), JSON), JSON, JSON)
def test_no_reply_is_too_strange(message: dict[str, Any], choices: Any, usage: Any) -> None:
    document, _ = readable_completion(completion(message, usage=usage))
    said = document["choices"][0]["message"]
    assert isinstance(said["content"] if said.get("content") is not None else "", str | float | bool)
    readable_completion({"choices": choices, "usage": usage})


def test_a_usage_keeps_what_can_be_true() -> None:
    bill = {"cost": 0.004, "prompt_tokens": -1, "completion_tokens": 7, "total_tokens": 6, "cost_details": "x"}
    document, _ = readable_completion({**completion({"content": "Yes."}), "usage": bill})
    assert document["usage"] == {"cost": 0.004, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize("cost", ["0.1", [], {}, True])
def test_a_cost_that_is_no_number_is_refused_and_not_missing(cost: object) -> None:
    document, _ = readable_completion({**completion({"content": "Yes."}), "usage": {"cost": cost}})
    assert usable_cost(document["usage"]["cost"], is_byok=False, upstream=None) is None
    assert document["usage"]["cost"] is not None
