"""Bodies of the transfer endpoints."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from service.gate.values import (
    Action,
    CivilDate,
    ClientId,
    Currency,
    DecimalText,
    Moment,
    Name,
    QuantityText,
    Sha256,
    check_year,
    read_date,
    read_instant,
)
from service.web.models import StrictModel

MAX_BATCH = 500
IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255)]


def _read_as_of(value: Any) -> datetime | date:
    try:
        return read_instant(value)
    except ValueError:
        return check_year(read_date(value))


TradeDate = Annotated[CivilDate, AfterValidator(check_year)]
AsOf = Annotated[datetime | date, BeforeValidator(_read_as_of)]


class PartyRef(StrictModel):
    """An investor as the caller knows them."""

    investor_ref: ClientId


class Price(StrictModel):
    """Price of one whole unit."""

    amount: DecimalText
    currency: Currency


class VerificationByCaller(StrictModel):
    """What only the caller can know of how accredited status was verified for this sale."""

    person: Literal["natural", "entity", "entity_owner_based"] | None = None
    represented_accredited: bool | None = None
    representation_on: CivilDate | None = None
    contrary_knowledge: bool | None = None
    third_party_financed: bool | None = None
    natural_equity_owners: Annotated[int, Field(ge=0, le=10**6)] | None = None


class InvestmentElsewhere(StrictModel):
    """A purchase under Regulation Crowdfunding that another platform sold, as the investor represents it."""

    amount: DecimalText
    date: CivilDate


class PartyInTrade(StrictModel):
    """What only the caller can know of a party to this trade: what it saw, and what the party declared to it.

    What an issuer must attest has no place here.
    """

    offshore: bool | None = None
    regs_certified: bool | None = None
    affiliate: bool | None = None
    principal: bool | None = None
    family_relation: Name | None = None
    first_time: bool | None = None
    suitability_done: bool | None = None
    above_threshold_consent: bool | None = None
    sophisticated: bool | None = None
    excluded_501e: bool | None = None
    is_fund: bool | None = None
    own_owners: Annotated[int, Field(ge=0, le=10**6)] | None = None
    cf_purchases: Annotated[list[InvestmentElsewhere], Field(max_length=1000)] | None = None
    sg_opt_in: bool | None = None
    knowledge_test_on: CivilDate | None = None
    sophisticated_approved_on: CivilDate | None = None
    uk_statement: Literal["hnw", "sophisticated"] | None = None
    uk_statement_signed_on: CivilDate | None = None
    verification: VerificationByCaller | None = None


class Trade(StrictModel):
    """The scenario format's ``trade`` fields, and the two parties' part in it."""

    general_solicitation: bool | None = None
    info_package: bool | None = None
    info_rights_144a: bool | None = None
    control_agreement: bool | None = None
    liquidation_route: Name | None = None
    recourse: bool | None = None
    buyer: PartyInTrade | None = None
    seller: PartyInTrade | None = None


class Document(StrictModel):
    """The document that orders a transfer."""

    type: Name
    sha256: Sha256
    authority: Name | None = None


class Approval(StrictModel):
    """One person's consent to a transfer on a document."""

    approver: Name
    approved_at: Moment


class TransferRequest(StrictModel):
    """May this transfer happen?

    Attributes:
        seller: Whose lots are taken; in a liquidation the pledgee, in a primary sale or a distribution nobody.
        buyer: Who gets lots or, in a pledge or its release, has the lien; in a redemption or a conversion nobody.
        pledgor: Whose lots are liquidated; only needed where several have pledged lots to the same pledgee.
        offering_id: Of a primary sale; in a conversion the offering whose lots replace the ones held; in any other
            action the lots are taken from this offering only.
    """

    security_id: ClientId
    offering_id: ClientId | None = None
    action: Action
    seller: PartyRef | None = None
    buyer: PartyRef | None = None
    pledgor: PartyRef | None = None
    quantity: QuantityText
    price: Price
    trade_date: TradeDate | None = None
    trade: Trade = Trade()
    document: Document | None = None
    approvals: Annotated[list[Approval], Field(max_length=20)] = Field(default_factory=list)
    venue: Name | None = None


class TransferPreview(TransferRequest):
    """What would be decided: nothing is reserved or recorded.

    Attributes:
        as_of: Instant, or civil date, at which to ask; now if absent.
        facts: Scenario paths with the values to assume, such as ``{"buyer.accredited": true}``.
    """

    as_of: AsOf | None = None
    rules_version: str | None = None
    facts: Annotated[dict[str, Any], Field(max_length=100)] = Field(default_factory=dict)


class BatchItem(TransferRequest):
    """One transfer of a batch."""

    idempotency_key: IdempotencyKey


class TransferBatch(StrictModel):
    """Transfers that are decided in this order."""

    transfers: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_BATCH)]


class Settlement(StrictModel):
    """The transfer took place."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Voiding(StrictModel):
    """The transfer will not take place."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
