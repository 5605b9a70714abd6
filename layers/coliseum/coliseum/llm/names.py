"""Names of models: accepted spellings, and the canonical form `vendor/model[:variant]`. Pure."""

from __future__ import annotations

import re

from coliseum.errors import InvalidInput

_PREFIX = re.compile(r"^(openai|openai-chat|openai-responses|openrouter):", re.ASCII)
_DATE = re.compile(r"-(\d{4}|\d{6}|\d{8}|\d{4}-\d{2}-\d{2})\Z", re.ASCII)
_SLUG = re.compile(r"~?[a-z0-9][a-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(:[a-z0-9-]+)?", re.ASCII)


def canonical_model(name: str) -> str:
    """OpenRouter's slug for `name`.

    `openai:{vendor}/{model}` is an older spelling of `{vendor}/{model}`; `openrouter:` is accepted, too.
    Raises InvalidInput for a name without a vendor, such as `openai:gpt-4o`.
    """
    slug = _PREFIX.sub("", name.strip())
    if not _SLUG.fullmatch(slug):
        raise InvalidInput("model", name, "vendor/model as OpenRouter lists it, such as anthropic/claude-haiku-5.5")
    return slug


def served_model(name: str) -> str:
    """The name of a model on another server than OpenRouter, such as `llama3.2:3b`.

    Raises InvalidInput for an empty name and for one with white space or control characters.
    """
    slug = _PREFIX.sub("", name.strip())
    if not slug or not slug.isprintable() or any(letter.isspace() for letter in slug):
        raise InvalidInput("model", name, "the name of a model as its server lists it, such as llama3.2:3b")
    return slug


def vendor(slug: str) -> str:
    """The part before the slash: the company whose outages the model shares."""
    return slug.lstrip("~").partition("/")[0]


def same_model(requested: str, served: str) -> bool:
    """Whether a reply came from the requested model.

    Hosts add a date to a name or leave it out (`a/b-0901` for `a/b`), leave out the vendor, and drop a variant such as
    `:free`. An alias such as `~a/b-latest` is served by a model of its family.
    """
    asked, came = requested.partition(":")[0].lower(), served.lstrip("~").partition(":")[0].lower()
    if "/" not in came:
        asked = asked.rpartition("/")[2]
    if asked.startswith("~"):
        return came.startswith(asked.lstrip("~").removesuffix("latest"))
    return _DATE.sub("", came) == _DATE.sub("", asked)
