"""The headers of a request: preferences, accepted and sent media types. Pure; unknown ones are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from coliseum_local.postgres.problems import PostgrestError, not_offered

OBJECT = "application/vnd.pgrst.object+json"
_LISTS = frozenset(("application/json", "*/*", "application/*", "application/vnd.pgrst.array+json", ""))
_UNSUPPORTED = frozenset(("tx", "handling", "max-affected", "timezone", "params"))
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Preferences:
    representation: bool = False
    """The written rows are wanted back."""
    count: bool = False
    """The number of all matching rows is wanted."""
    resolution: Literal["merge-duplicates", "ignore-duplicates"] | None = None
    missing_default: bool = False
    """A column missing in a row gets its default, not NULL."""
    single: bool = False
    """Exactly one row is wanted, as an object."""


def preferences_from(headers: Mapping[str, str]) -> Preferences:
    """Raises PostgrestError for preferences, media types, schemas and ranges that the gateway does not know."""
    for name in ("accept-profile", "content-profile"):
        if headers.get(name, "public") != "public":
            raise PostgrestError(406, "PGRST106", f"Invalid schema: {headers[name]}", hint="Only public is exposed")
    if "range" in headers:
        raise not_offered("the Range header (use limit and offset)")
    wanted: dict[str, str] = {}
    for part in headers.get("prefer", "").split(","):
        name, _, value = part.strip().partition("=")
        if name:
            wanted[name] = value
    for name in wanted:
        if name in _UNSUPPORTED:
            raise not_offered(f"the preference {name}")
    returning = _one_of(wanted, "return", {"minimal": False, "representation": True}, default=False)
    count = _one_of(wanted, "count", {"exact": True}, default=False)
    resolution = _one_of(
        wanted, "resolution", {name: name for name in ("merge-duplicates", "ignore-duplicates")}, default=None
    )
    missing = _one_of(wanted, "missing", {"default": True, "null": False}, default=False)
    if wanted:
        raise PostgrestError(400, "PGRST122", f"Invalid preferences given: {', '.join(sorted(wanted))}")
    return Preferences(
        representation=returning,
        count=count,
        resolution=resolution,  # type: ignore[arg-type]  # one of the two literals, by the table above
        missing_default=missing,
        single=_single(headers.get("accept", "")),
    )


def require_json(headers: Mapping[str, str]) -> None:
    media = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media != "application/json":
        raise PostgrestError(415, "PGRST102", f"Content-Type not acceptable: {media}")


def _one_of(wanted: dict[str, str], name: str, table: Mapping[str, V], *, default: V) -> V:
    value = wanted.pop(name, None)
    if value is None:
        return default
    if value not in table:
        raise PostgrestError(400, "PGRST122", f"Invalid preferences given: {name}={value}")
    return table[value]


def _single(accept: str) -> bool:
    media = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if OBJECT in media and "nulls=stripped" not in accept:
        return True
    if media & _LISTS and "nulls=stripped" not in accept:
        return False
    raise PostgrestError(406, "PGRST107", f"None of these media types are available: {accept}")
