"""What happened, for those who want to hear of it: events, where they are sent, and what became of each sending."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, FetchedValue, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn

_WAITING = text("sequence IS NULL AND NOT is_test")
_NUMBERED = text("sequence IS NOT NULL")
_ABOUT_INVESTOR = text("kind = 'standing.changed'")
_PENDING = text("state = 'pending'")


class Event(SQLModel, table=True):
    """Something that happened, written in the transaction in which it did. Changed once: when it gets its number.

    Attributes:
        sequence: Its place among the organisation's events; None until it is numbered, which only what is committed
            is. So nobody who has read up to a number can miss what commits later.
        subject: What it is about; events about the same are delivered in their order.
        data: JSON text: ids and states. Only events about an investor name them, and are deleted with them.
        is_test: Sent to one endpoint because somebody asked for it; not among what happened.
        written: Place in the order of writing; PostgreSQL gives it, SQLite has its own.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_waiting", "org_id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index(
            "ix_event_sequence", "org_id", "sequence", unique=True, sqlite_where=_NUMBERED, postgresql_where=_NUMBERED
        ),
        Index("ix_event_investor", "org_id", "subject", sqlite_where=_ABOUT_INVESTOR, postgresql_where=_ABOUT_INVESTOR),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    sequence: int | None = Field(default=None, sa_type=BigInteger)
    kind: str
    subject: str
    data: str
    occurred_at: datetime = Field(sa_type=Instant)
    is_test: bool = False
    written: int | None = Field(default=None, sa_type=BigInteger, sa_column_kwargs={"server_default": FetchedValue()})


class EventStream(SQLModel, table=True):
    """How far an organisation's events are numbered, and up to which number some were swept after their time."""

    __tablename__ = "event_stream"

    org_id: str = Field(primary_key=True)
    last_sequence: int = Field(default=0, sa_type=BigInteger)
    forgotten_until: int = Field(default=0, sa_type=BigInteger)


class DueEvent(SQLModel, table=True):
    """An event that time brings about: written ahead, and turned into an event when it is due and still true."""

    __tablename__ = "due_event"

    org_id: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    subject: str
    data: str
    due_at: datetime = Field(sa_type=Instant, index=True)


class StandingRecheck(SQLModel, table=True):
    """Entries of a status list that changed: whoever relies on one is to hear of it.

    Attributes:
        org_id: The issuer here whose list it is; of a list from elsewhere, the platform that holds the copy.
        status_list: Id of the issuer's list, or the address of one from elsewhere.
        is_own: Whether the list is of this deployment, so that every platform may rely on it.
        indices: JSON list of the places that changed.
        after_org_id, after_id: The last standing that was looked at.
    """

    __tablename__ = "standing_recheck"

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    status_list: str
    is_own: bool
    indices: str
    occurred_at: datetime = Field(sa_type=Instant)
    after_org_id: str = ""
    after_id: str = ""


class WebhookEndpoint(SQLModel, table=True):
    """Where an organisation wants its events sent.

    Attributes:
        version: Of the payloads, fixed when the endpoint was made.
        state: ``pending`` until it answered a challenge, then ``active``; ``disabled`` by the owner, or by a 410.
        active_since: Only what happened since is sent.
        failing_since: When sending began to fail without a success since; None while it works.
        not_before: The endpoint asked to be left alone until then.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (CheckConstraint("state IN ('pending','active','disabled')", name="ck_webhook_endpoint_state"),)

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    url: str
    description: str | None = None
    types: list[str] = Field(sa_type=JsonColumn)
    version: str
    state: str = "pending"
    disabled_because: str | None = None
    sealed_secret: bytes
    sealed_old_secret: bytes | None = None
    old_secret_until: datetime | None = Field(default=None, sa_type=Instant)
    challenge_due_at: datetime | None = Field(default=None, sa_type=Instant)
    challenges: int = 0
    active_since: datetime | None = Field(default=None, sa_type=Instant)
    failing_since: datetime | None = Field(default=None, sa_type=Instant)
    not_before: datetime | None = Field(default=None, sa_type=Instant)
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one endpoint; its body is made of the event each time it is sent.

    Attributes:
        state: ``pending``, ``delivered``, or ``dead`` after the last try.
        lease_until: Until then a process is sending it.
        last_status: HTTP status of the last answer; None where there was none, which ``last_error`` names.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("org_id", "endpoint_id", "event_id", name="uq_webhook_delivery"),
        CheckConstraint("state IN ('pending','delivered','dead')", name="ck_webhook_delivery_state"),
        Index("ix_webhook_delivery_due", "due_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index(
            "ix_webhook_delivery_subject",
            "org_id",
            "endpoint_id",
            "subject",
            "sequence",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index("ix_webhook_delivery_event", "org_id", "event_id"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    endpoint_id: str
    event_id: str
    kind: str
    subject: str
    sequence: int = Field(default=0, sa_type=BigInteger)
    state: str = "pending"
    attempts: int = 0
    due_at: datetime = Field(sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    last_attempt_at: datetime | None = Field(default=None, sa_type=Instant)
    last_status: int | None = None
    last_error: str | None = None
    delivered_at: datetime | None = Field(default=None, sa_type=Instant)
    created_at: datetime = Field(sa_type=Instant)
