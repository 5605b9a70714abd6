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
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from coliseum.client import Arena, ArenaRefused, OpenQuestion
from coliseum.errors import ConfigurationError
from coliseum_local.export import local_address

TRIES = 3
Play = Callable[[OpenQuestion], Any]


def enter(
    target: str, *, url: str | None, name: str | None, contact: str | None, keep: Path, every: float, once: bool
) -> int:
    """Answer open questions with the function until Ctrl-C, or one time with `once`. Returns the exit code.

    The token is kept in the file `keep` with the address that it is for. Only its owner can read the file. Without it
    the agent registers. An outage does not end the command.
    """
    try:
        play, address = load(target), url or local_address()
        with Arena(address) as arena:
            if not _has_token(arena, keep, address) and not _register(
                arena, keep, address, name=name or target, contact=contact
            ):
                return 2
            player = Player(arena, play)
            while True:
                wait = every
                try:
                    player.answer_questions()
                except ArenaRefused as error:
                    if error.status == 401 or once:
                        raise  # a 403 waits: the operator may admit the agent
                    wait = max(every, error.retry_after_seconds or 0)
                    print(error, file=sys.stderr)
                except httpx.HTTPError as error:
                    if once:
                        raise
                    print(f"no answer, trying again: {type(error).__name__}", file=sys.stderr)
                if once:
                    return 0
                time.sleep(wait)
    except (ArenaRefused, httpx.HTTPError, ValueError, TypeError, OSError, ConfigurationError) as error:
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
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's module may raise anything
        problem = f"{type(error).__name__}: {error}"
        raise ValueError(f"{target}: the module {module_name} cannot be imported: {problem}") from error
    function = getattr(module, function_name, None)
    if function is None:
        raise ValueError(f"{target}: {module_name} has no {function_name}")
    if not callable(function):
        raise TypeError(f"{target}: {function_name} is not a function")
    return function  # type: ignore[no-any-return]  # what it returns is checked with each answer


class Player:
    """Plays a function. It asks the function once per question, and up to three times where it raised."""

    def __init__(self, arena: Arena, play: Play) -> None:
        self._arena = arena
        self._play = play
        self._tries: Counter[str] = Counter()

    def answer_questions(self) -> int:
        """Answer every open question. One that fails does not stop the others. Returns the number of new forecasts.

        Raises ArenaRefused where the arena refuses this agent or its pace, httpx.HTTPError where it does not answer.
        """
        made = 0
        for question in self._arena.questions():
            if self._tries[question.question_id] < TRIES:
                made += self._answer(question)
        return made

    def _answer(self, question: OpenQuestion) -> int:
        self._tries[question.question_id] += 1
        try:
            answer = self._play(question)
            value = asyncio.run(answer) if inspect.iscoroutine(answer) else answer
            probability, rationale = value if isinstance(value, tuple) else (value, "")
            if probability is None:
                self._tries[question.question_id] = TRIES
                print(f"{question.ticker}: abstained")
                return 0
            sealed = self._arena.submit(question, checked(probability), rationale=rationale)
        except ArenaRefused as error:
            if error.status in {401, 403, 429}:
                self._tries[question.question_id] -= 1
                raise
            print(f"{question.ticker}: {error}", file=sys.stderr)
            return 0
        except httpx.HTTPError:
            self._tries[question.question_id] -= 1
            raise
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything
            print(f"{question.ticker}: {type(error).__name__}: {error}", file=sys.stderr)
            return 0
        assert sealed is not None
        print(f"{question.ticker}: {float(probability):.2f} sealed as {sealed.seal[:16]}…")
        return int(sealed.new)


def checked(value: object) -> float:
    """The probability. Raises ValueError for anything but a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"the function returned {value!r}, expected a number from 0 to 1, or None to abstain")
    return float(value)


def _has_token(arena: Arena, keep: Path, address: str) -> bool:
    """Use the kept token. Raises ValueError for a file that is none, or one that is for another address."""
    try:
        kept = json.loads(keep.read_text(encoding="utf-8"))
        token, known = kept["token"], kept["address"]
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{keep}: this file holds no token of `coliseum enter`; remove it, or name another one with --token-file"
        ) from None
    if known != address:
        raise ValueError(f"{keep}: this token is for {known}, not for {address}; name another file with --token-file")
    arena.token = token
    return True


def _register(arena: Arena, keep: Path, address: str, *, name: str, contact: str | None) -> bool:
    """Register and keep the token. False after printing what is missing."""
    if contact is None:
        print("--contact is needed to register: an e-mail or address for the operator", file=sys.stderr)
        return False
    # The file is made first: a token that cannot be kept would be lost.
    descriptor = os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            made = arena.register(name, contact)
            json.dump({"address": address, **made}, file, indent=1)
    except BaseException as error:
        keep.unlink(missing_ok=True)
        if isinstance(error, httpx.HTTPError | KeyboardInterrupt):
            print("registering was cut off; if the name is taken now, use another one with --name", file=sys.stderr)
        raise
    print(f"registered as {made['entrant_id']} ({made['status']}); the token is in {keep}")
    if made["status"] == "pending":
        print(f"the operator has to admit it: {made['claim_url']}")
    return True
