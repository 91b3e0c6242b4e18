"""Answers of the issuer's back office."""

from datetime import datetime
from typing import Literal

from service.web.models import AnswerModel, TextIfAny

Status = Literal["valid", "suspended", "revoked"]


class MadeOfferAnswer(AnswerModel):
    """A new offer. ``tx_code`` is there if one was asked for, and shown this once."""

    id: str
    credential_offer_uri: str
    deep_link: str
    web_link: str
    expires_at: datetime
    tx_code: TextIfAny


class GrantedAnswer(AnswerModel):
    """A credential that was granted through an offer."""

    id: str
    credential_configuration_id: str
    status: Status


class OfferAnswer(AnswerModel):
    """State of an offer; ``deferral`` where the issuer decides after the wallet asked."""

    id: str
    state: Literal["pending", "redeemed", "expired", "cancelled"]
    deferral: Literal["held", "released", "denied"] | None
    credential_configuration_id: str
    subject_ref: str
    created_at: datetime
    expires_at: datetime
    credentials: list[GrantedAnswer]


class CredentialAnswer(AnswerModel):
    """Metadata and status of a granted credential; no claims."""

    id: str
    credential_configuration_id: str
    subject_ref: str
    offer_id: str
    status: Status
    status_reason: str | None
    status_changed_at: datetime | None
    issued_at: datetime
    expires_at: datetime
