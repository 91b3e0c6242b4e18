"""Bodies and answers about erasure and legal holds."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from service.privacy.erasure import Erasure
from service.web.instants import format_instant
from service.web.models import AnswerModel, StrictModel

Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class HoldBody(StrictModel):
    """Why records must not be erased."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    reference: Annotated[str, Field(min_length=1, max_length=200)]


class HoldAnswer(AnswerModel):
    """A legal hold that stands."""

    reason: str
    reference: str
    placed_by: str
    placed_at: datetime


class ErasureAnswer(AnswerModel):
    """Somebody was erased; ``tombstone`` is the name under which the rest stays."""

    tombstone: str
    erased_at: datetime


def describe_erasure(done: Erasure) -> dict[str, Any]:
    """Return the wire form of an erasure."""
    return {"tombstone": done.tombstone, "erased_at": format_instant(done.erased_at)}
