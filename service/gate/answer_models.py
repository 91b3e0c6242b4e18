"""Answers of the gate's /v1 calls."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from service.gate.security_models import GrantTerms, OfferingTerms, SecurityTerms
from service.gate.transfer_models import Price
from service.gate.values import Action, LotOrigin
from service.web.models import AnswerModel, TextIfAny


class SecurityAnswer(SecurityTerms):
    """A security with its version."""

    model_config = ConfigDict(extra="ignore")

    id: str
    version: int


class OfferingAnswer(OfferingTerms):
    """An offering with its version."""

    model_config = ConfigDict(extra="ignore")

    id: str
    security_id: str
    version: int
    last_issued_on: date | None


class GrantAnswer(GrantTerms):
    """What a venue may do."""

    model_config = ConfigDict(extra="ignore")

    security_id: str
    org_id: str


class LienAnswer(AnswerModel):
    """A lien on a lot: the pledge that made it, who has it, and whether there is recourse against the pledgor."""

    transfer_id: str
    holder_ref: str
    recourse: bool


class LotAnswer(AnswerModel):
    """A lot of the register; quantities in the smallest unit."""

    id: str
    offering_id: str
    quantity: str
    reserved: str
    acquired_on: date
    from_: LotOrigin = Field(alias="from")
    tack_from: date | None
    paid_in_full_on: date | None
    hold_only: bool
    lien: LienAnswer | None


class LotsAnswer(AnswerModel):
    """The lots that were entered."""

    lots: list[LotAnswer]


class PositionAnswer(AnswerModel):
    """What one investor of one platform holds."""

    org_id: str
    investor_ref: str
    quantity: str
    reserved: str
    lots: list[LotAnswer]


class HolderName(AnswerModel):
    """An investor as one organisation knows them."""

    org_id: str
    investor_ref: str


class HolderLinkAnswer(AnswerModel):
    """Who an investor of a venue is in the registrar's registers; ``source`` says who said so."""

    id: str
    org_id: str
    investor_ref: str
    holder: HolderName
    source: Literal["kyc", "registrar"]
    linked_at: datetime


class OffereeAnswer(AnswerModel):
    """Somebody to whom was offered; ``qualified`` are those whom the regime does not count."""

    id: str
    org_id: str
    investor_ref: str
    country: str | None
    qualified: bool
    offered_on: date
    recorded_at: datetime


class CountAnswer(AnswerModel):
    """One category of holders, with what unsettled transfers may add and the issuer's cap."""

    held: int
    reserved: int
    cap: int | None


class HolderCategories(AnswerModel):
    """Holders by category."""

    holders: CountAnswer
    nonaccredited_holders: CountAnswer
    beneficial_owners: CountAnswer


class HoldersAnswer(AnswerModel):
    """Counters of a security."""

    holders: int
    reserved: int
    categories: HolderCategories
    issued_quantity: str
    outstanding_quantity: str
    reserved_quantity: str


class RemedyAnswer(AnswerModel):
    """What would help. Absent members do not apply."""

    kind: Literal["present", "renew", "represent", "wait_until", "none"]
    at: TextIfAny
    purpose: TextIfAny


class ReasonAnswer(AnswerModel):
    """Why a transfer is not permitted."""

    code: str
    party: str | None
    basis: Literal["law", "issuer_policy", "firm_policy"]
    citation: str
    message: str
    evidence: dict[str, Any]
    remedy: RemedyAnswer


class OfferingTried(AnswerModel):
    """Another open offering that a primary sale could have been made under, and why it was not."""

    offering_id: str
    outcome: Literal["permit", "deny", "review"]
    reasons: list[ReasonAnswer]


class ObligationAnswer(AnswerModel):
    """What the caller must still do on a permit."""

    code: str
    message: str


class ReservationAnswer(AnswerModel):
    """What a permit holds until it is settled, given up, or runs out."""

    state: Literal["held", "settled", "void", "expired"]
    expires_at: datetime


class LogState(AnswerModel):
    """Whether the published log covers the decision, and where."""

    state: Literal["pending", "included"]
    index: int | None


class St20Answer(AnswerModel):
    """`verifyTransfer`'s result, with the reason byte of ERC-1400."""

    result: Literal["VALID", "INVALID"]
    code: str


class Sep8ActionAnswer(AnswerModel):
    """The request that makes a holder's link, where presentations are all that is missing."""

    method: Literal["POST"]
    href: str
    party: str | None
    body: dict[str, str]


class ProjectionsAnswer(AnswerModel):
    """The decision in the words of other standards; docs/projections.md is the table."""

    erc1404: int
    erc1066: str
    erc1400: str
    erc3643: str | None
    ds: int
    erc1450: int | None
    erc1462: str
    st20: St20Answer
    r_token: int
    s3: int
    sep8: Literal["success", "revised", "pending", "action_required", "rejected"]
    sep8_action: Sep8ActionAnswer | None


class PreviewAnswer(AnswerModel):
    """What would be decided. ``route`` is there if a rule named one, the largest quantity if there is only one."""

    id: str | None
    security_id: str
    action: Action
    quantity: str
    price: Price
    trade_date: date
    parties: dict[str, str | None]
    offering_id: str | None
    outcome: Literal["permit", "deny", "review"]
    decided_at: datetime
    expires_at: datetime
    reasons: list[ReasonAnswer]
    obligations: list[ObligationAnswer]
    route: TextIfAny
    max_permitted_quantity: TextIfAny
    offerings_tried: list[OfferingTried] = Field(default_factory=list)
    reservation: ReservationAnswer | None
    versions: dict[str, Any]
    projections: ProjectionsAnswer
    terms_sha256: str | None
    inputs_sha256: str | None
    iss: str
    iat: int
    exp: int
    aud: list[str]
    decision_maker: str
    relying_parties: list[str]
    notice: str
    decision_hash: str | None
    decision: str | None
    log: LogState | None


class DecisionAnswer(PreviewAnswer):
    """A recorded decision; ``decision`` is its signature as a compact JWS."""

    id: str
    decision_hash: str
    decision: str


class LogRecord(AnswerModel):
    """What the log entry's salted hash is about; `record` is what happened."""

    version: int
    org_id: str
    id: str
    kind: str
    subject_id: str
    recorded_at: datetime
    record: dict[str, Any]


class ReceiptAnswer(AnswerModel):
    """Proof that a record is in the log. The leaf is SHA-256 over the nonce and the record's RFC 8785 form."""

    record: LogRecord
    nonce: str
    index: int
    inclusion_proof: list[str]
    checkpoint: str


class DecisionsAnswer(AnswerModel):
    """Decisions in the order of the request; a problem in place of what could not be decided."""

    data: list[DecisionAnswer | dict[str, Any]]


class BundleAnswer(AnswerModel):
    """Everything that is needed to make the decision again; `python -m service replay` reads it."""

    format: str
    salt: str
    decided_at: datetime
    rules: dict[str, Any]
    security: dict[str, Any]
    trust: dict[str, Any]
    evaluations: list[dict[str, Any]]
    tried: list[dict[str, Any]]
    credentials: list[dict[str, Any]]
    parties: list[dict[str, Any]] | None = None
    identifying: list[dict[str, Any]] | None = None
    decision: dict[str, Any]
