"""Rows of the register as a transaction works on them: plain, and changed in place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple


class Holder(NamedTuple):
    """Who holds: an investor as the register knows them, by the organisation and the ref that were first."""

    org_id: str
    investor_ref: str


@dataclass(slots=True)
class Head:
    """A security's counters and limits; see ``tables.Security``."""

    org_id: str
    id: str
    version: int
    issued: int
    outstanding: int
    outstanding_reserved: int
    holders: int
    holders_reserved: int
    nonaccredited_holders: int
    nonaccredited_holders_reserved: int
    beneficial_owners: int
    beneficial_owners_reserved: int
    holder_limit: int | None
    nonaccredited_limit: int | None
    owner_limit: int | None
    decided_at: datetime | None


@dataclass(slots=True)
class OfferingHead:
    """An offering's place and latest version; see ``tables.Offering``."""

    org_id: str
    security_id: str
    id: str
    version: int
    position: int
    last_issued_on: date | None


@dataclass(slots=True)
class LotRow:
    """See ``tables.Lot``."""

    org_id: str
    security_id: str
    id: str
    offering_id: str
    holder_org_id: str
    investor_ref: str
    quantity: int
    acquired_on: date
    acquired_from: str
    created_at: datetime
    reserved: int = 0
    paid_in_full_on: date | None = None
    tack_from: date | None = None
    issued_on: date | None = None
    hold_only: bool = False
    lien_transfer_id: str | None = None
    lien_org_id: str | None = None
    lien_holder_ref: str | None = None
    lien_recourse: bool | None = None
    source_transfer_id: str | None = None

    @property
    def holder(self) -> Holder:
        """Whose it is."""
        return Holder(self.holder_org_id, self.investor_ref)

    @property
    def pledgee(self) -> Holder | None:
        """Who has a lien on it, as the organisation that asked for the pledge knows them."""
        if self.lien_org_id is None or self.lien_holder_ref is None:
            return None
        return Holder(self.lien_org_id, self.lien_holder_ref)


@dataclass(slots=True)
class HolderRow:
    """See ``tables.HolderCount``."""

    org_id: str
    security_id: str
    holder_org_id: str
    investor_ref: str
    quantity: int = 0
    accredited: bool = False
    owners: int = 1
    pending: int = 0
    pending_quantity: int = 0
    holder_slots: int = 0
    nonaccredited_slots: int = 0
    owner_slots: int = 0


@dataclass(slots=True)
class ReservationRow:
    """See ``tables.Reservation``."""

    org_id: str
    transfer_id: str
    registrar_org_id: str
    security_id: str
    taker_org_id: str | None
    taker_ref: str | None
    quantity: int
    holder_slots: int
    nonaccredited_slots: int
    owner_slots: int
    new_quantity: int
    expires_at: datetime

    @property
    def taker(self) -> Holder | None:
        """To whom the lots go; None in a pledge, a redemption and the like."""
        if self.taker_org_id is None or self.taker_ref is None:
            return None
        return Holder(self.taker_org_id, self.taker_ref)


@dataclass(slots=True)
class AffiliateSaleRow:
    """See ``tables.AffiliateSale``."""

    org_id: str
    security_id: str
    holder_org_id: str
    investor_ref: str
    transfer_id: str
    sold_on: date
    quantity: int


@dataclass(slots=True)
class GrantRow:
    """See ``tables.Grant``."""

    org_id: str
    security_id: str
    venue_org_id: str
    document: dict[str, Any]
    withdrawn_at: datetime | None

    @property
    def security_key(self) -> tuple[str, str]:
        """Identify the security: registrar and id."""
        return self.org_id, self.security_id


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """What a decision names of an organisation."""

    id: str
    did: str
    trust_version: int


@dataclass(frozen=True, slots=True)
class TransferRow:
    """What has to be known of a recorded decision to end its reservation or to answer it again.

    See ``tables.Transfer``.
    """

    org_id: str
    id: str
    idempotency_key: str
    request_sha256: str
    registrar_org_id: str
    security_id: str
    offering_id: str | None
    action: str
    seller_ref: str | None
    buyer_ref: str | None
    quantity: int
    trade_date: date
    seller_affiliate: bool | None
    request: dict[str, Any]
    outcome: str
    decided_at: datetime
    expires_at: datetime
    payload: str
    decision_hash: str
    decision_jws: str
    outward_payload: str | None
    outward_hash: str | None
    outward_jws: str | None


@dataclass(frozen=True, slots=True)
class PledgeRow:
    """What a liquidation has to know of the pledge behind it; see ``tables.Transfer``."""

    org_id: str
    id: str
    seller_ref: str | None
    trade_date: date


@dataclass(frozen=True, slots=True)
class KeyRow:
    """See ``tables.SigningKey``."""

    org_id: str
    kid: str
    alg: str
    public_jwk: Mapping[str, Any]
    created_at: datetime
    retired_at: datetime | None
