"""The base classes of the REST answers: frozen models, the source and age of an answer, the list envelope. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from coliseum.http.field_types import UtcTime
from coliseum.identity import ExchangeName
from coliseum.trading.pages import RejectedRow

Item = TypeVar("Item")


class Answer(BaseModel):
    """Base of every answer and of its parts: it cannot be changed once it is built."""

    model_config = ConfigDict(frozen=True)


class IdentityData(Answer):
    """Which exchange, account and bot everything here belongs to. Data of two of them are never mixed."""

    exchange: ExchangeName = Field(description="With `sandbox` and `demo` no money is real.")
    exchange_host: str = Field(examples=["external-api.kalshi.com"])
    account: str | None = Field(
        description="The account's label, which does not reveal the key. Null without a key.",
        examples=["production/2bd806c97f0e"],
    )
    bot: str = Field(description="BOT_NAME.")


class Sourced(Answer):
    """An answer that says where it is from and how old it is."""

    source: str = Field(description="Where the data is from. `cache` where the source itself did not answer this time.")
    as_of: UtcTime = Field(description="When the source gave the data.")
    stale: bool = Field(description="True where the source failed and this is older data.")
    age_seconds: float = Field(ge=0, description="Seconds between `as_of` and this answer.", examples=[0.4])


class Failure(Answer):
    """A source that did not answer, or not with what was expected; or one row of its answer that was left out."""

    source: str
    problem: str = Field(description="What went wrong, for people.")
    ticker: str | None = Field(default=None, description="Of the row that was left out, where it names one.")
    field: str | None = Field(default=None, description="The field that could not be read.")
    value: str | None = Field(
        default=None, description="What that field holds, as JSON of at most 60 characters; null where it is missing."
    )


def failure_of_row(source: str, row: RejectedRow) -> Failure:
    """A row that was left out of an answer of `source`."""
    return Failure(source=source, problem=str(row), ticker=row.ticker, field=row.field, value=row.value)


class Items(BaseModel, Generic[Item]):
    """The items of a page, and the cursor of the next one."""

    items: Sequence[Item]
    count: int = Field(ge=0, description="Items on this page.")
    next_cursor: str | None = Field(description="Ask for the next page with it; null on the last page.")


class Listing(Sourced, Items[Item], Generic[Item]):
    """One page of a list."""
