"""`coliseum enter module:function`: plays a function as an outside agent."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from coliseum.client import Arena, ArenaRefused, OpenQuestion
from coliseum.errors import ConfigurationError
from coliseum_local.export import local_address

Play = Callable[[OpenQuestion], Any]


def enter(
    target: str, *, url: str | None, name: str | None, contact: str | None, keep: Path, every: float, once: bool
) -> int:
    """Answer open questions with the function until Ctrl-C, or one time with `once`. Returns the exit code.

    The token is kept in the file `keep`, which only its owner can read. Without that file the agent registers.
    """
    try:
        play = load(target)
        with Arena(url or local_address()) as arena:
            if not _has_token(arena, keep) and not _register(arena, keep, name=name or target, contact=contact):
                return 2
            while True:
                answer_questions(arena, play)
                if once:
                    return 0
                time.sleep(every)
    except (ArenaRefused, httpx.HTTPError, ValueError, TypeError, ConfigurationError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def load(target: str) -> Play:
    """The function of `module:function`. Raises ValueError or TypeError that says what is wrong."""
    module_name, _, function_name = target.partition(":")
    if not module_name or not function_name:
        raise ValueError(f"{target}: expected module:function, such as my_agent:forecast")
    sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except ImportError as error:
        raise ValueError(f"{target}: the module {module_name} cannot be imported: {error}") from error
    except AttributeError:
        raise ValueError(f"{target}: {module_name} has no {function_name}") from None
    if not callable(function):
        raise TypeError(f"{target}: {function_name} is not a function")
    return function  # type: ignore[no-any-return]  # what it returns is checked with each answer


def answer_questions(arena: Arena, play: Play) -> int:
    """Answer every open question. One that fails does not stop the others. Returns the number of new forecasts."""
    made = 0
    for question in arena.questions():
        try:
            answer = play(question)
            value = asyncio.run(answer) if inspect.iscoroutine(answer) else answer
            probability, rationale = value if isinstance(value, tuple) else (value, "")
            if probability is None:
                print(f"{question.ticker}: abstained")
                continue
            sealed = arena.submit(question, checked(probability), rationale=rationale)
        except ArenaRefused as error:
            if error.status in {401, 403}:
                raise
            print(f"{question.ticker}: {error}", file=sys.stderr)
        except httpx.HTTPError:
            raise
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything
            print(f"{question.ticker}: {type(error).__name__}: {error}", file=sys.stderr)
        else:
            assert sealed is not None
            made += sealed.new
            print(f"{question.ticker}: {float(probability):.2f} sealed as {sealed.seal[:16]}…")
    return made


def checked(value: object) -> float:
    """The probability. Raises ValueError for anything but a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"the function returned {value!r}, expected a number from 0 to 1, or None to abstain")
    return float(value)


def _has_token(arena: Arena, keep: Path) -> bool:
    with suppress(FileNotFoundError, ValueError, KeyError):
        arena.token = json.loads(keep.read_text(encoding="utf-8"))["token"]
    return arena.token is not None


def _register(arena: Arena, keep: Path, *, name: str, contact: str | None) -> bool:
    """Register and keep the token. False after printing what is missing."""
    if contact is None:
        print("--contact is needed to register: an e-mail or address for the operator", file=sys.stderr)
        return False
    # The file is made first: a token that cannot be kept would be lost.
    descriptor = os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        made = arena.register(name, contact)
        json.dump(made, file, indent=1)
    print(f"registered as {made['entrant_id']} ({made['status']}); the token is in {keep}")
    if made["status"] == "pending":
        print(f"the operator has to admit it: {made['claim_url']}")
    return True
