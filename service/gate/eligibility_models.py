"""Body and answer of the eligibility call."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from service.gate.answer_models import ReasonAnswer, RemedyAnswer
from service.gate.transfer_models import Price
from service.gate.values import Action, ClientId, QuantityText
from service.web.models import AnswerModel, StrictModel

MAX_INVESTORS, MAX_SECURITIES = 500, 50


class EligibilityRequest(StrictModel):
    """Who may take part in what?

    Attributes:
        action: The investor is the buyer or, where the action has none, the seller.
        quantity: In the securities' smallest units; 1, or the minimum of the security, if absent.
        price: Of one whole unit. Without it, limits on amounts stay open.
        as_of: Instant, or end of a day in UTC, at which to ask the record; now if absent. Needs the scope compliance.
        rules_version: Of the rules to ask; the one in use at the time if absent.
    """

    investors: Annotated[list[ClientId], Field(min_length=1, max_length=MAX_INVESTORS)]
    securities: Annotated[list[ClientId], Field(min_length=1, max_length=MAX_SECURITIES)]
    action: Action
    quantity: QuantityText | None = None
    price: Price | None = None
    as_of: Annotated[str, Field(max_length=40)] | None = None
    rules_version: Annotated[str, Field(max_length=100)] | None = None


class EligibilityCell(AnswerModel):
    """One investor and one security.

    A permit says that nothing known stands against it; ``open`` names what only a trade will show.
    """

    investor_ref: str
    security_id: str
    outcome: Literal["permit", "deny", "review"]
    offering_id: str
    reasons: list[ReasonAnswer]
    open: list[str]
    max_quantity: str | None
    valid_until: datetime | None
    remedy: RemedyAnswer | None


class EligibilityAnswer(AnswerModel):
    """Every cell: by security in the order asked, then by investor."""

    as_of: datetime
    rules_version: str
    data: list[EligibilityCell]
