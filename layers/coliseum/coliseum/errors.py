"""Coliseum's errors.

ColiseumError
├── ConfigurationError        a setting is missing or malformed; names the variable
├── InvalidInput              the caller's input is refused; names field, value, expected form
├── NotFound                  the thing asked for does not exist
├── TooLarge                  the answer does not fit into one response
├── Conflict                  what is stored already forbids the request
├── NotPermitted              the caller is unknown (401) or may not do this (403)
├── OverLimit           the caller is over its limit; retryable
├── SourceError               a system outside Coliseum failed
│   ├── SourceUnavailable     no usable answer (network, 5xx, time-out); retryable
│   ├── SourceRefused         it refused the request (401, 403, 4xx); not retryable
│   ├── SourceRateLimited     it limits our rate (429); retryable
│   └── SourceMalformed       its answer has an unknown form; names field and source
└── LogError                  the feed cannot guarantee its order or completeness
    └── LogMoved              another publisher was faster: reload its checkpoint and try again; retryable
"""

from __future__ import annotations


class ColiseumError(Exception):
    """Base of all errors that Coliseum raises on purpose."""

    retryable = False


class ConfigurationError(ColiseumError):
    """A setting is missing or has the wrong form. The message never holds the value of a secret."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


class InvalidInput(ColiseumError):
    """The caller's input is refused. The message has what was sent and what was expected."""

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


class TooLarge(ColiseumError):
    """The answer does not fit into one response. The message says how to get it in parts."""


class Conflict(ColiseumError):
    """What is stored already forbids the request. `members` name it for programs."""

    def __init__(self, message: str, **members: str) -> None:
        super().__init__(message)
        self.members = members


class NotPermitted(ColiseumError):
    """The caller is unknown (`status` 401) or may not do this (403)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class OverLimit(ColiseumError):
    """The caller is over its limit and may try again after `retry_after_seconds`."""

    retryable = True

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class SourceError(ColiseumError):
    """A system outside Coliseum (bot, exchange, Redis, Postgres, model) failed."""

    def __init__(self, source: str, problem: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(f"{source}: {problem}")
        self.source = source
        self.problem = problem
        self.status = status
        self.code = code
        """The source's own code for the problem, such as an SQLSTATE; None where it gave none."""
        self.retry_after_seconds: float | None = None
        """After how many seconds the source allows another call; None where it did not say."""


class SourceUnavailable(SourceError):
    """No usable answer: connection, time-out, 5xx."""

    retryable = True


class SourceRefused(SourceError):
    """The source understood the request and refused it."""


class SourceRateLimited(SourceError):
    """The source limits our rate."""

    retryable = True


class SourceMalformed(SourceError):
    """The source's answer has an unknown form. `field` names the part that was missing or wrong."""

    def __init__(self, source: str, problem: str, *, field: str, status: int | None = None) -> None:
        super().__init__(source, problem, status=status)
        self.field = field


class LogError(ColiseumError):
    """The feed cannot guarantee its order or completeness."""


class LogMoved(LogError):
    """Another publisher has replaced the checkpoint that this one read. Nothing was published."""

    retryable = True
