"""Coliseum's errors.

ColiseumError
├── ConfigurationError        a setting is missing or malformed; names the variable
├── InvalidInput              the caller sent something we refuse; names field, value, expectation
├── NotFound                  the thing asked for does not exist
├── SourceError               something outside answered wrongly or not at all
│   ├── SourceUnavailable     no usable answer (network, 5xx, time-out); retryable
│   ├── SourceRefused         it said no (401, 403, 4xx); not retryable
│   ├── SourceRateLimited     it said later (429); retryable
│   └── SourceMalformed       it answered in a shape we do not know; names field and source
└── LogError                  the feed cannot promise its order or completeness
    └── LogMoved              another publisher was faster; reload what it left, then conclude again
"""

from __future__ import annotations


class ColiseumError(Exception):
    """Base of all errors that Coliseum raises on purpose."""

    retryable = False


class ConfigurationError(ColiseumError):
    """A setting is missing or has a form we refuse. Never carries the value of a secret."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


class InvalidInput(ColiseumError):
    """The caller's input is refused; the message says what was wrong and what would be right."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        shown = repr(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(f"{field}: got {shown}, expected {expected}")
        self.field = field
        self.expected = expected


class NotFound(ColiseumError):
    """The thing asked for does not exist."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} named {name!r}")
        self.kind = kind
        self.name = name


class SourceError(ColiseumError):
    """A system outside Coliseum (bot, exchange, Redis, Postgres, model) failed us."""

    def __init__(self, source: str, problem: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(f"{source}: {problem}")
        self.source = source
        self.problem = problem
        self.status = status
        self.code = code
        """The source's own code for the problem, such as an SQLSTATE; None where it gave none."""


class SourceUnavailable(SourceError):
    """No usable answer: connection, time-out, 5xx."""

    retryable = True


class SourceRefused(SourceError):
    """The source understood and said no."""


class SourceRateLimited(SourceError):
    """The source asked us to come back later."""

    retryable = True


class SourceMalformed(SourceError):
    """The source answered, in a shape we do not know. `field` names the part that was missing or wrong."""

    def __init__(self, source: str, problem: str, *, field: str, status: int | None = None) -> None:
        super().__init__(source, problem, status=status)
        self.field = field


class LogError(ColiseumError):
    """The feed cannot promise its order or completeness."""


class LogMoved(LogError):
    """Another publisher replaced the checkpoint this one concluded from. Nothing was published."""

    retryable = True
