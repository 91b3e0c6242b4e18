"""Answers of the verifier's /v1 calls."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from service.web.models import AnswerModel, TextIfAny

State = Literal["pending", "verified", "rejected", "expired"]


class CheckAnswer(AnswerModel):
    """One named check; docs/problems.md lists the codes."""

    check: str
    outcome: Literal["pass", "fail", "undetermined"]
    code: str | None
    detail: str | None


class StatusMessageAnswer(AnswerModel):
    """What an entry of a Bitstring Status List with the purpose `message` says; the text is for developers only."""

    status: str
    message: str


class VerdictAnswer(AnswerModel):
    """What is known of one credential or presentation."""

    valid: bool
    outcome: Literal["verified", "rejected", "undetermined"]
    format: str | None
    issuer: str | None
    holder: str | None
    claims: dict[str, Any]
    status: str | None
    status_messages: Annotated[list[StatusMessageAnswer], Field(default_factory=list)]
    checks: list[CheckAnswer]
    credentials: Annotated[
        list["VerdictAnswer"],
        Field(default_factory=list, description="Of a presentation of several credentials, each one's verdict."),
    ]


class VerdictsAnswer(AnswerModel):
    """Verdicts in the order of the request; a problem in place of what cannot be read."""

    data: list[VerdictAnswer | dict[str, Any]]


class DcApiRequestAnswer(AnswerModel):
    """An element of `digital.requests` for `navigator.credentials.get`."""

    protocol: Literal["openid4vp-v1-unsigned", "openid4vp-v1-signed"]
    data: dict[str, Any]


DcApiRequestIfAny = Annotated[DcApiRequestAnswer, Field(default_factory=dict)]  # only over that API


class MadeRequestAnswer(AnswerModel):
    """The links of a new presentation request; null where a request of this kind has none."""

    id: str
    request_uri: str | None
    deep_link: str | None
    web_link: str | None
    wallet_link: Annotated[str | None, Field(description="Opens the request in this deployment's web wallet.")]
    qr_code_link: Annotated[str | None, Field(description="Picture of deep_link; with ?wallet=web, of wallet_link.")]
    expires_at: datetime
    dc_api_request: DcApiRequestIfAny


class CredentialCheckAnswer(CheckAnswer):
    """A check of one credential of a response (its id in the query), or of the response as a whole (null)."""

    credential: str | None


class PresentedAnswer(AnswerModel):
    """A credential that was presented; claims of those that verified only."""

    id: str
    vct: str | None
    issuer: str | None
    claims: dict[str, Any]
    status: str | None
    valid_until: datetime | None


class TransactionDataAnswer(AnswerModel):
    """What the holder was asked to agree to, and whether they did; the key binding holds a hash of `encoded`."""

    type: str
    credential_ids: list[str]
    fields: dict[str, Any]
    encoded: str
    agreed: bool


class RequestAnswer(AnswerModel):
    """State of a presentation request, what came back, and every check."""

    id: str
    state: State
    purpose: str | None
    investor_ref: str | None
    credentials: list[PresentedAnswer]
    checks: list[CredentialCheckAnswer]
    transaction_data: list[TransactionDataAnswer]
    awaits_return: bool
    created_at: datetime
    expires_at: datetime
    answered_at: datetime | None
    response_code: TextIfAny


class NeedAnswer(AnswerModel):
    """A credential that a purpose needs, with its claims."""

    credential_type: str
    claims: list[str]


class PurposeAnswer(AnswerModel):
    """What can be asked for by name."""

    id: str
    title: str
    credentials: list[NeedAnswer]
    dcql_query: dict[str, Any]


class VerifierAttestationAnswer(AnswerModel):
    """The attestation of the key that signs requests, and the client identifier that it makes."""

    kid: str
    client_id: str
    issuer: str
    expires_at: datetime
    updated_at: datetime


class TrustedIssuerAnswer(AnswerModel):
    """An entry of the list of trusted issuers."""

    id: str
    issuer: str
    credential_types: list[str]
    jurisdictions: list[str]
    attester_class: str | None
    attester_register_id: str | None
    valid_from: date | None
    valid_until: date | None
    x509_anchors: list[str] | None
    max_status_age: int | None
    trust_version: int
    updated_at: datetime


class InvestorAnswer(AnswerModel):
    """An investor as the platform keeps them."""

    investor_ref: str
    frozen: bool
    screening: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class HeldAnswer(AnswerModel):
    """A credential of an investor's standing."""

    id: str
    credential_type: str
    vct: str
    issuer: str
    claims: dict[str, Any]
    status: str
    usable: bool
    fault: str | None
    as_of: datetime
    issued_at: datetime | None
    expires_at: datetime
    presentation_request_id: str


class FactAnswer(AnswerModel):
    """One fact with its source."""

    fact: str
    value: Any
    credential: str
    credential_type: str
    issuer: str
    status: str
    as_of: datetime
    expires_at: datetime


class CoverageAnswer(AnswerModel):
    """Whether a purpose is covered, until when, and what is missing."""

    purpose: str
    covered: bool
    until: datetime | None
    missing: list[dict[str, Any]]


class StandingVersions(AnswerModel):
    """What was applied: the rules, and the platform's trust list."""

    rules: str
    trust: int


class StandingAnswer(InvestorAnswer):
    """What presentations proved of an investor by `as_of`. All changes are on record from `complete_since` on."""

    as_of: datetime
    complete_since: datetime
    versions: StandingVersions
    credentials: list[HeldAnswer]
    facts: list[FactAnswer]
    purposes: list[CoverageAnswer]
