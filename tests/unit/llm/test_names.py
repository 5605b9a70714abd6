from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput
from coliseum.llm.names import canonical_model, same_model, served_model, vendor


@pytest.mark.parametrize(
    ("written", "slug"),
    [
        ("anthropic/claude-haiku-5.5", "anthropic/claude-haiku-5.5"),
        ("openai:anthropic/claude-haiku-5.5", "anthropic/claude-haiku-5.5"),
        ("openai:openai/gpt-6-luna", "openai/gpt-6-luna"),
        ("openai-chat:x-ai/grok-4.7", "x-ai/grok-4.7"),
        ("openai-responses:qwen/qwen3.8-max-0902", "qwen/qwen3.8-max-0902"),
        ("openrouter:z-ai/glm-5.3", "z-ai/glm-5.3"),
        ("  openrouter:z-ai/glm-5.3\n", "z-ai/glm-5.3"),
        ("deepseek/deepseek-v4-pro-0813:free", "deepseek/deepseek-v4-pro-0813:free"),
        ("~anthropic/claude-latest", "~anthropic/claude-latest"),
        ("meta/Muse-Spark", "meta/Muse-Spark"),
    ],
)
def test_every_spelling_of_a_model_becomes_openrouters_slug(written: str, slug: str) -> None:
    assert canonical_model(written) == slug


@pytest.mark.parametrize(
    "written",
    [
        "",
        "gpt-4o",
        "openai:gpt-4o",
        "openai:",
        "openrouter:openai:openai/gpt-6-luna",
        "anthropic:anthropic/claude-haiku-5.5",
        "Anthropic/claude",
        "anthropic/",
        "/claude",
        "anthropic/claude/haiku",
        "anthropic/claude haiku",
        "anthropic/claude:",
        "anthropic/claude:free:more",
        "anthropic/claudé",
        "https://openrouter.ai/anthropic/claude",
    ],
)
def test_a_name_that_openrouter_cannot_have_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(InvalidInput, match="vendor/model as OpenRouter lists it") as caught:
        canonical_model(written)
    assert caught.value.field == "model"


@pytest.mark.parametrize(
    ("written", "name"),
    [("llama3.2:3b", "llama3.2:3b"), (" openai:tiny\n", "tiny"), ("hf.co/a/b-GGUF:Q4_K_M", "hf.co/a/b-GGUF:Q4_K_M")],
)
def test_another_server_may_have_any_names(written: str, name: str) -> None:
    assert served_model(written) == name


@pytest.mark.parametrize("written", ["", " ", "openai:", "a b", "a\tb", "a\x00b"])
def test_a_name_with_white_space_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="as its server lists it"):
        served_model(written)


VENDORS = st.from_regex(r"~?[a-z0-9][a-z0-9._-]{0,10}", fullmatch=True)
MODELS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}(:[a-z0-9-]{1,8})?", fullmatch=True)
PREFIXES = st.sampled_from(["", "openai:", "openai-chat:", "openai-responses:", "openrouter:"])


@given(VENDORS, MODELS, PREFIXES)
def test_a_canonical_name_stays_as_it_is(maker: str, model: str, prefix: str) -> None:
    slug = canonical_model(f"{prefix}{maker}/{model}")
    assert slug == f"{maker}/{model}"
    assert canonical_model(slug) == slug
    assert vendor(slug) == maker.lstrip("~")


@given(st.text(max_size=40))
def test_any_text_is_a_slug_or_refused(text: str) -> None:
    try:
        slug = canonical_model(text)
    except InvalidInput:
        return
    assert slug.count("/") == 1
    assert slug.isascii()


@pytest.mark.parametrize(
    ("requested", "served", "same"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b-0901", True),
        ("a/b", "a/b-2026-09-01", True),
        ("a/b-0901", "a/b", True),
        ("a/b-0901", "a/b-20260901", True),
        ("a/b:free", "a/b", True),
        ("a/b", "A/B:nitro", True),
        ("a/b", "b-0901", True),
        ("~a/b-latest", "a/b-5.6", True),
        ("~a/b-latest", "a/c-5.6", False),
        ("a/b", "a/b-mini", False),
        ("a/b-5.5", "a/b-5.6", False),
        ("a/b", "c/b", False),
        ("a/b", "c", False),
    ],
)
def test_a_reply_of_another_model_is_told_from_another_spelling(requested: str, served: str, same: bool) -> None:
    assert same_model(requested, served) is same
