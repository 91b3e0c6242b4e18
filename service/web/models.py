"""Bases of /v1 bodies and answers."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class StrictModel(BaseModel):
    """Unknown members and wrong JSON types are errors; nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AnswerModel(BaseModel):
    """Base of documented answers. They describe what is sent and filter nothing; members may be added any time."""


Item = TypeVar("Item")
TextIfAny = Annotated[str, Field(default_factory=str)]  # a member that is left out where it does not apply


class Page(AnswerModel, Generic[Item]):
    """One page of a list; ``next`` is the ``after`` of the next page."""

    data: list[Item]
    next: str | None
