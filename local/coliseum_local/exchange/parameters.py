"""Query parameters of one request, checked strictly. Every error is an ApiError in the exchange's own wording."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from coliseum_local.exchange.errors import bad_request, parameter_error, unreadable_parameter

MAX_INT = 2**63


@dataclass(frozen=True, slots=True)
class Window:
    """Whole unix seconds from `low` to `high`, both included; None is open."""

    low: int | None
    high: int | None

    def holds(self, time: float) -> bool:
        return (self.low is None or int(time) >= self.low) and (self.high is None or int(time) <= self.high)

    @property
    def is_open(self) -> bool:
        return self.low is None and self.high is None


class Parameters:
    """The query of one request. `operation` is the name that the exchange gives the call in its error messages."""

    def __init__(self, query: QueryParams, operation: str) -> None:
        self._query = query
        self._operation = operation

    def text(self, name: str) -> str:
        return self._query.get(name, "")

    def names(self, name: str) -> list[str]:
        """The values of a comma list, of a repeated parameter, or of both."""
        values = [part.strip() for value in self._query.getlist(name) for part in value.split(",")]
        return [value for value in values if value]

    def integer(self, name: str) -> int | None:
        value = self._query.get(name)
        if value is None or value == "":
            return None
        if not value.lstrip("-").isdecimal() or not value.isascii() or abs(int(value)) >= MAX_INT:
            raise unreadable_parameter(name, value)
        return int(value)

    def required(self, name: str) -> int:
        value = self.integer(name)
        if value is None:
            raise parameter_error(self._operation, _field(name), "required")
        return value

    def flag(self, name: str) -> bool:
        value = self._query.get(name, "false").lower()
        if value not in {"true", "false", "1", "0", ""}:
            raise unreadable_parameter(name, value)
        return value in {"true", "1"}

    def limit(self, *, default: int, most: int, least: int = 0) -> int:
        """The page size; 0, where it is allowed, means the default."""
        value = self.integer("limit")
        if value is None:
            return default
        if value > most:
            raise parameter_error(self._operation, "Limit", "lte")
        if value < least:
            raise parameter_error(self._operation, "Limit", "gte")
        return value or default

    def one_of(self, name: str, allowed: Collection[str], *, complaint: str) -> str:
        values = self._query.getlist(name)
        if len(values) > 1 or any("," in value for value in values):
            raise bad_request(f"only one {name} filter may be supplied")
        value = self._query.get(name, "")
        if value and value not in allowed:
            raise bad_request(complaint)
        return value

    def window(self, prefix: str = "") -> Window:
        """`min_<prefix>ts` and `max_<prefix>ts`."""
        return Window(self.integer(f"min_{prefix}ts"), self.integer(f"max_{prefix}ts"))

    def has_any(self, *names: str) -> bool:
        return any(self._query.get(name) for name in names)


def _field(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
