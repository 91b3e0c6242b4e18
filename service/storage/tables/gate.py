"""The register and the decisions: securities, offerings, lots, transfers, reservations."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn, Quantity


class Security(SQLModel, table=True):
    """The head row of a security: what a transfer locks first. ``org_id`` is the registrar.

    ``issued`` follows the newest version; ``outstanding`` is the sum of all lots, ``outstanding_reserved`` what
    unsettled primary sales will add to it.
    """

    __tablename__ = "security"
    __table_args__ = (
        CheckConstraint("holders >= 0 AND holders_reserved >= 0", name="ck_security_counters"),
        CheckConstraint("outstanding <= issued AND outstanding_reserved <= issued", name="ck_security_outstanding"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int
    issued: int = Field(sa_type=Quantity)
    outstanding: int = Field(default=0, sa_type=Quantity)
    outstanding_reserved: int = Field(default=0, sa_type=Quantity)
    holders: int = 0
    holders_reserved: int = 0
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
    """The head row of an offering; ``position`` is the order in which primary sales try open offerings."""

    __tablename__ = "offering"

    org_id: str = Field(primary_key=True)
    security_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int
    position: int


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


class Lot(SQLModel, table=True):
    """A quantity acquired at one time under one offering. ``reserved`` is promised to unsettled transfers."""

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("reserved <= quantity", name="ck_lot_reserved"),
        Index("ix_lot_holder", "org_id", "security_id", "holder_org_id", "investor_ref"),
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
    source_transfer_id: str | None = None
    created_at: datetime = Field(sa_type=Instant)


class Transfer(SQLModel, table=True):
    """One recorded decision; never updated. ``org_id`` is the venue that asked."""

    __tablename__ = "transfer"
    __table_args__ = (
        UniqueConstraint("org_id", "idempotency_key", name="uq_transfer_idempotency"),
        Index("ix_transfer_seller", "registrar_org_id", "security_id", "org_id", "seller_ref", "trade_date"),
        CheckConstraint("outcome IN ('permit','deny','review')", name="ck_transfer_outcome"),
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


class Reservation(SQLModel, table=True):
    """What a permit holds until it ends. ``held`` only keeps the search for overdue ones short: the ending is a row
    of its own.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        Index(
            "ix_reservation_held",
            "registrar_org_id",
            "security_id",
            "expires_at",
            sqlite_where=text("held"),
            postgresql_where=text("held"),
        ),
    )

    org_id: str = Field(primary_key=True)
    transfer_id: str = Field(primary_key=True)
    registrar_org_id: str
    security_id: str
    holder_slots: int
    new_quantity: int = Field(default=0, sa_type=Quantity)
    held: bool = True
    expires_at: datetime = Field(sa_type=Instant)


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
