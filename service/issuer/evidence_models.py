"""Bodies and answers about the evidence of cases."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from service.issuer.evidence import MAX_ITEM_CHARACTERS
from service.web.models import AnswerModel, StrictModel

Item = Annotated[str, Field(min_length=1, max_length=MAX_ITEM_CHARACTERS)]


class InformationBody(StrictModel):
    """What is still wanted; both stay with the issuer."""

    message: Annotated[str, Field(min_length=1, max_length=2000)]
    items: Annotated[list[Item], Field(max_length=20, default_factory=list)]


class EvidenceAnswer(AnswerModel):
    """A file of a case, without its content. ``sha256`` is of the file as it was sent."""

    id: str
    case_id: str
    item: str
    name: str
    media_type: Literal["application/pdf", "image/png", "image/jpeg"]
    size: int
    sha256: str
    added_by: str
    added_at: datetime


class EvidenceListAnswer(AnswerModel):
    """Every file of a case, oldest first; ``next`` is always null."""

    data: list[EvidenceAnswer]
    next: None


class CaseEventAnswer(AnswerModel):
    """Something that was done to a case; ``facts`` depend on ``kind``."""

    at: datetime
    kind: str
    by: str
    facts: dict[str, Any]


class CaseHistoryAnswer(AnswerModel):
    """What was done to a case, oldest first; ``next`` is always null."""

    data: list[CaseEventAnswer]
    next: None
