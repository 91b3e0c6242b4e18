"""Bodies and answers of the review queue."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from service.issuer.answer_models import MadeOfferAnswer
from service.issuer.case_review import ReviewRequest
from service.issuer.cases import ApprovalRequest
from service.issuer.offers import DEFAULT_LIFETIME, MAX_LIFETIME
from service.web.models import AnswerModel, StrictModel

CaseState = Literal["open", "waiting", "reviewed", "approved", "declined"]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,64}$")]


class CaseBody(StrictModel):
    """A new case."""

    credential_configuration_id: Annotated[str, Field(max_length=64)]
    subject_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class ReviewBody(StrictModel):
    """Figures, and the test or limit that they are for.

    ``limit_at_least`` is the amount that the investor chose to have stated; only with ``limit``.
    """

    test: RuleId | None = None
    limit: RuleId | None = None
    figures: dict[str, Any]
    as_of: Annotated[date | None, Field(strict=False)] = None
    limit_at_least: Annotated[str | None, Field(pattern=r"^(0|[1-9][0-9]{0,29})(\.[0-9]{1,18})?$")] = None

    @model_validator(mode="after")
    def check_rule(self) -> "ReviewBody":
        """Refuse anything but one test, or one limit with its amount."""
        if (self.test is None) == (self.limit is None):
            raise ValueError("one of test and limit is needed")
        if (self.limit is None) != (self.limit_at_least is None):
            raise ValueError("limit and limit_at_least go together")
        return self

    def to_request(self) -> ReviewRequest:
        """Return the same in the words of the use case."""
        return ReviewRequest(self.test, self.limit, self.figures, self.as_of, self.limit_at_least)


class ApprovalBody(StrictModel):
    """Approval of a review, and how to offer the credential; category, amount and rules version come from the case."""

    claims: Annotated[dict[str, Any], Field(default_factory=dict)]
    tx_code: bool = True
    expires_in: Annotated[int, Field(ge=1, le=int(MAX_LIFETIME.total_seconds()))] = int(
        DEFAULT_LIFETIME.total_seconds()
    )
    credential_expires_on: Annotated[date | None, Field(strict=False)] = None

    def to_request(self) -> ApprovalRequest:
        """Return the same in the words of the use case."""
        return ApprovalRequest(
            self.claims, self.tx_code, timedelta(seconds=self.expires_in), self.credential_expires_on
        )


class DeclineBody(StrictModel):
    """Refusal of a case; ``reason`` stays with the issuer."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class CaseAnswer(AnswerModel):
    """A case as lists show it: no figures."""

    id: str
    credential_configuration_id: str
    subject_ref: str
    state: CaseState
    opened_by: str
    created_at: datetime
    rule: str | None
    passed: bool | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    offer_id: str | None


class ReviewAnswer(AnswerModel):
    """What a review came to. ``checklist`` is the evidence that the rule asks for; ``claims`` what will be stated."""

    rule: str
    passed: bool
    as_of: date
    citation: str
    confidence: Literal["H", "M", "L"]
    rules_version: str
    explanation: list[str]
    computed: dict[str, str]
    checklist: list[str]
    figures: dict[str, Any]
    computed_limit: str | None
    claims: dict[str, str]


class OpenedCaseAnswer(CaseAnswer):
    """A case with its last review and, if declined, why."""

    review: ReviewAnswer | None
    reason: str | None


class ApprovalAnswer(AnswerModel):
    """An approved case and the offer that was made."""

    case: OpenedCaseAnswer
    offer: MadeOfferAnswer
