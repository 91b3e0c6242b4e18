"""The keys of people's data, wrapped; and what stops their destruction."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from service.storage.types import Instant


class SubjectKey(SQLModel, table=True):
    """The key of everything that an organisation keeps sealed about one person.

    ``subject`` names them as ``service.storage.subject_keys`` does; ``id`` is what a sealed value is marked with that
    is found apart from them. An erasure empties the key and leaves a tombstone
    under a name that leads to nobody.
    """

    __tablename__ = "subject_key"

    org_id: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    id: str = Field(unique=True)
    wrapped_key: bytes
    created_at: datetime = Field(sa_type=Instant)
    destroyed_at: datetime | None = Field(default=None, sa_type=Instant)


class LegalHold(SQLModel, table=True):
    """While it stands, nothing of this person is erased, whoever asks and however old it is.

    ``sealed`` holds why and under which reference, under the person's key.
    """

    __tablename__ = "legal_hold"

    org_id: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    sealed: bytes
    placed_by: str
    placed_at: datetime = Field(sa_type=Instant)
