"""The register and the decisions: securities, offerings, lots, transfers, reservations."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from service.storage.types import Amount, Instant, JsonColumn, Quantity


class Security(SQLModel, table=True):
    """The head row of a security: what a transfer locks first. ``org_id`` is the registrar.

    ``issued`` follows the newest version; ``outstanding`` is the sum of all lots, ``outstanding_reserved`` what
    unsettled primary sales will add to it. The counters are sums over ``HolderCount``; each limit is the issuer's cap,
    or what was counted when a lower cap came or a transfer that nobody willed passed it.
    """

    __tablename__ = "security"
    __table_args__ = (
        CheckConstraint("holders >= 0 AND holders_reserved >= 0", name="ck_security_counters"),
        CheckConstraint("outstanding <= issued AND outstanding_reserved <= issued", name="ck_security_outstanding"),
        CheckConstraint(
            "nonaccredited_holders >= 0 AND nonaccredited_holders_reserved >= 0"
            " AND beneficial_owners >= 0 AND beneficial_owners_reserved >= 0",
            name="ck_security_categories",
        ),
        CheckConstraint(
            "(holder_limit IS NULL OR holders + holders_reserved <= holder_limit)"
            " AND (nonaccredited_limit IS NULL"
            " OR nonaccredited_holders + nonaccredited_holders_reserved <= nonaccredited_limit)"
            " AND (owner_limit IS NULL OR beneficial_owners + beneficial_owners_reserved <= owner_limit)",
            name="ck_security_limits",
        ),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int
    issued: int = Field(sa_type=Quantity)
    outstanding: int = Field(default=0, sa_type=Quantity)
    outstanding_reserved: int = Field(default=0, sa_type=Quantity)
    holders: int = 0
    holders_reserved: int = 0
    nonaccredited_holders: int = 0
    nonaccredited_holders_reserved: int = 0
    beneficial_owners: int = 0
    beneficial_owners_reserved: int = 0
    holder_limit: int | None = None
    nonaccredited_limit: int | None = None
    owner_limit: int | None = None
    decided_at: datetime | None = Field(default=None, sa_type=Instant)


class SecurityVersion(SQLModel, table=True):
    """The terms of a security as they stood; never updated."""

    __tablename__ = "security_version"

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    document: dict[str, Any] = Field(sa_type=JsonColumn)
    recorded_at: datetime = Field(sa_type=Instant)


class Offering(SQLModel, table=True):
    """The head row of an offering; ``position`` is the order in which primary sales try open offerings.

    ``last_issued_on`` is the latest day on which the issuer sold a lot of it.
    """

    __tablename__ = "offering"

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int
    position: int
    last_issued_on: date | None = None


class OfferingVersion(SQLModel, table=True):
    """The terms of an offering as they stood; never updated."""

    __tablename__ = "offering_version"

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    offering_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    document: dict[str, Any] = Field(sa_type=JsonColumn)
    recorded_at: datetime = Field(sa_type=Instant)


class Grant(SQLModel, table=True):
    """A venue's right to gate on a registrar's security."""

    __tablename__ = "security_grant"

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    venue_org_id: str = Field(primary_key=True, index=True)
    document: dict[str, Any] = Field(sa_type=JsonColumn)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class Offeree(SQLModel, table=True):
    """Somebody to whom an offering was offered, once. ``org_id`` is the registrar, ``offeree_org_id`` who knows them.

    ``country`` is None where nobody said it; ``qualified`` are those whom the offering's regime does not count.
    """

    __tablename__ = "offeree"
    __table_args__ = (Index("ix_offeree_issuer", "org_id", "issuer", "regime", "offered_on"),)

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    offering_id: str = Field(primary_key=True)
    offeree_org_id: str = Field(primary_key=True)
    investor_ref: str = Field(primary_key=True)
    issuer: str
    regime: str
    country: str | None = None
    qualified: bool = False
    offered_on: date
    recorded_at: datetime = Field(sa_type=Instant)


class HolderCount(SQLModel, table=True):
    """What one investor counts for among the holders of a security, and what unsettled transfers to them may add.

    Attributes:
        quantity: Sum of the investor's lots; a holder is who has more than zero.
        accredited: Whether they were known as accredited when they last acquired.
        owners: Beneficial owners that they count as; more than one for a fund that is looked through.
        pending: Unsettled transfers to them, of ``pending_quantity`` together.
        holder_slots: How many of those hold a holder's slot: all whose seller does not leave by them.
        nonaccredited_slots: How many hold a slot of a non-accredited holder.
        owner_slots: The most beneficial owners that one of them holds.
    """

    __tablename__ = "holder"

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    holder_org_id: str = Field(primary_key=True)
    investor_ref: str = Field(primary_key=True)
    quantity: int = Field(default=0, sa_type=Quantity)
    accredited: bool = False
    owners: int = 1
    pending: int = 0
    pending_quantity: int = Field(default=0, sa_type=Quantity)
    holder_slots: int = 0
    nonaccredited_slots: int = 0
    owner_slots: int = 0


class Lot(SQLModel, table=True):
    """A quantity acquired at one time under one offering. ``reserved`` is promised to unsettled transfers.

    A lien is known by the pledge that made it, its holder by the organisation that asked for the pledge and the ref
    there; ``lien_recourse`` decides whether a liquidation tacks.
    """

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("reserved <= quantity", name="ck_lot_reserved"),
        Index("ix_lot_holder", "org_id", "security_id", "holder_org_id", "investor_ref"),
        Index(
            "ix_lot_lien",
            "org_id",
            "security_id",
            "lien_org_id",
            "lien_holder_ref",
            sqlite_where=text("lien_holder_ref IS NOT NULL"),
            postgresql_where=text("lien_holder_ref IS NOT NULL"),
        ),
    )

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    offering_id: str
    holder_org_id: str
    investor_ref: str
    quantity: int = Field(sa_type=Quantity)
    reserved: int = Field(default=0, sa_type=Quantity)
    acquired_on: date
    paid_in_full_on: date | None = None
    acquired_from: str
    tack_from: date | None = None
    issued_on: date | None = None
    hold_only: bool = False
    lien_transfer_id: str | None = None
    lien_org_id: str | None = None
    lien_holder_ref: str | None = None
    lien_recourse: bool | None = None
    source_transfer_id: str | None = None
    created_at: datetime = Field(sa_type=Instant)


class Transfer(SQLModel, table=True):
    """One recorded decision; never updated. ``org_id`` is the venue that asked."""

    __tablename__ = "transfer"
    __table_args__ = (
        UniqueConstraint("org_id", "idempotency_key", name="uq_transfer_idempotency"),
        CheckConstraint("outcome IN ('permit','deny','review')", name="ck_transfer_outcome"),
        # What people look decisions up by; the columns of each end in the order in which they are shown.
        Index("ix_transfer_outcome", "org_id", "outcome", "decided_at", "id"),
        Index("ix_transfer_security", "registrar_org_id", "security_id", "outcome", "decided_at", "id"),
        Index("ix_transfer_buyer", "org_id", "buyer_ref", "decided_at", "id"),
        Index("ix_transfer_seller", "org_id", "seller_ref", "decided_at", "id"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True, index=True)
    idempotency_key: str
    request_sha256: str
    registrar_org_id: str
    security_id: str
    offering_id: str | None = None
    action: str
    seller_ref: str | None = None
    buyer_ref: str | None = None
    quantity: int = Field(sa_type=Quantity)
    trade_date: date
    seller_affiliate: bool | None = None
    route: str | None = None  # the exemption of a resale whose lots all come from one offering
    request: dict[str, Any] = Field(sa_type=JsonColumn)
    outcome: str
    decided_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    payload: str  # the JWS payload, canonical JSON
    decision_hash: str
    decision_jws: str
    # The same for callers who may not see AML and sanctions reasons; None where nothing has to be kept from them.
    outward_payload: str | None = None
    outward_hash: str | None = None
    outward_jws: str | None = None
    bundle: str


class TransferReason(SQLModel, table=True):
    """A reason that a decision gives, to find decisions by; a permit gives none. Never updated.

    ``readers`` are ``all``, or where the decision has two forms those with the ``compliance`` view or the ``others``.
    ``place`` is that of the reason in the form that they see.
    """

    __tablename__ = "transfer_reason"
    __table_args__ = (
        CheckConstraint("readers IN ('all','compliance','others')", name="ck_transfer_reason_readers"),
        Index("ix_transfer_reason_code", "org_id", "code", "decided_at", "transfer_id"),
    )

    org_id: str = Field(primary_key=True)
    transfer_id: str = Field(primary_key=True)
    readers: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    place: int
    decided_at: datetime = Field(sa_type=Instant)


class Reservation(SQLModel, table=True):
    """What a permit holds until it ends; never updated, for the ending is a row of its own.

    The slots are what the taker may need over what the seller frees by leaving.
    """

    __tablename__ = "reservation"

    org_id: str = Field(primary_key=True)
    transfer_id: str = Field(primary_key=True)
    registrar_org_id: str
    security_id: str
    taker_org_id: str | None = None
    taker_ref: str | None = None
    quantity: int = Field(default=0, sa_type=Quantity)
    holder_slots: int
    nonaccredited_slots: int = 0
    owner_slots: int = 0
    new_quantity: int = Field(default=0, sa_type=Quantity)
    expires_at: datetime = Field(sa_type=Instant)


class HeldReservation(SQLModel, table=True):
    """A reservation that has not ended; deleted when it does, so that the search for overdue ones stays short."""

    __tablename__ = "held_reservation"
    __table_args__ = (
        Index("ix_held_reservation_expiry", "registrar_org_id", "security_id", "expires_at"),
        Index("ix_held_reservation_taker", "registrar_org_id", "security_id", "taker_org_id", "taker_ref"),
    )

    org_id: str = Field(primary_key=True)
    transfer_id: str = Field(primary_key=True)
    registrar_org_id: str
    security_id: str
    taker_org_id: str | None = None
    taker_ref: str | None = None
    expires_at: datetime = Field(sa_type=Instant)


class AffiliateSale(SQLModel, table=True):
    """A sale by an affiliate under Rule 144, promised or settled; deleted if it does not take place.

    Source: 17 CFR 230.144(e)(3).
    """

    __tablename__ = "affiliate_sale"

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    holder_org_id: str = Field(primary_key=True)
    investor_ref: str = Field(primary_key=True)
    transfer_id: str = Field(primary_key=True)
    sold_on: date
    quantity: int = Field(sa_type=Quantity)


class HolderLink(SQLModel, table=True):
    """Who an investor of a venue is in a registrar's registers, where that is somebody known by another name.

    ``org_id`` is the registrar. ``source`` says who said so: ``kyc``, the same verified KYC, or ``registrar``.
    """

    __tablename__ = "holder_link"
    __table_args__ = (
        Index("ix_holder_link_holder", "org_id", "holder_org_id", "investor_ref"),
        CheckConstraint("source IN ('kyc','registrar')", name="ck_holder_link_source"),
    )

    org_id: str = Field(primary_key=True)
    venue_org_id: str = Field(primary_key=True)
    venue_ref: str = Field(primary_key=True)
    holder_org_id: str
    investor_ref: str
    source: str
    linked_at: datetime = Field(sa_type=Instant)


class HolderPerson(SQLModel, table=True):
    """Under which name a person, known by a verified KYC, first came into a registrar's registers.

    ``person`` is a keyed digest that says nothing to who lacks the deployment's key.
    """

    __tablename__ = "holder_person"

    org_id: str = Field(primary_key=True)
    person: str = Field(primary_key=True)
    holder_org_id: str
    investor_ref: str


class ReservedLot(SQLModel, table=True):
    """The part of a lot that a reservation holds."""

    __tablename__ = "reserved_lot"

    org_id: str = Field(primary_key=True)
    transfer_id: str = Field(primary_key=True)
    lot_id: str = Field(primary_key=True)
    quantity: int = Field(sa_type=Quantity)


class ReservationEnding(SQLModel, table=True):
    """How a reservation ended; the primary key lets it end once."""

    __tablename__ = "reservation_ending"
    __table_args__ = (CheckConstraint("state IN ('settled','void','expired')", name="ck_reservation_ending_state"),)

    org_id: str = Field(primary_key=True)
    transfer_id: str = Field(primary_key=True)
    state: str
    reference: str | None = None
    reason: str | None = None
    ended_at: datetime = Field(sa_type=Instant)


class Purchase(SQLModel, table=True):
    """A sale by the issuer, promised or settled, or an opening lot that came from the issuer: what windows look at.

    ``org_id`` is the registrar, ``id`` that of the transfer or lot. A promise that ends without a sale is deleted.

    Attributes:
        amount: What was paid; None for an opening lot of which nobody said it.
        nonaccredited: Counts among the purchasers whose number 17 CFR 230.506(b)(2)(i) limits.
        expires_at: Until when a promise counts; None once settled.
    """

    __tablename__ = "purchase"
    __table_args__ = (
        Index("ix_purchase_issuer", "org_id", "issuer", "regime", "bought_on"),
        Index("ix_purchase_buyer", "buyer_org_id", "buyer_ref", "regime", "bought_on"),
        Index(
            "ix_purchase_promised",
            "org_id",
            "issuer",
            "regime",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    security_id: str
    offering_id: str
    issuer: str
    regime: str
    buyer_org_id: str
    buyer_ref: str
    bought_on: date
    amount: Decimal | None = Field(default=None, sa_type=Amount)
    currency: str
    nonaccredited: bool = False
    expires_at: datetime | None = Field(default=None, sa_type=Instant)


class DailySales(SQLModel, table=True):
    """What an issuer sold under one regime on one day, settled: twelve months are then at most 367 rows.

    ``unpriced`` counts opening lots of which nobody said what was paid.
    """

    __tablename__ = "daily_sales"

    org_id: str = Field(primary_key=True)
    issuer: str = Field(primary_key=True)
    regime: str = Field(primary_key=True)
    currency: str = Field(primary_key=True)
    sold_on: date = Field(primary_key=True)
    amount: Decimal = Field(default=Decimal(0), sa_type=Amount)
    unpriced: int = 0
