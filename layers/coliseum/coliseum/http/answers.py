"""The base class of everything that a REST route answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """An answer, or a part of one: a pydantic model that nothing changes after it was built."""

    model_config = ConfigDict(frozen=True)
