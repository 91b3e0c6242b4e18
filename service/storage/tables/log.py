"""The transparency log: tiles that only grow at their end, and signed heads."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from service.storage.types import Instant


class LogTile(SQLModel, table=True):
    """One tile at its present width; ``level`` -1 is a bundle of entries. The log belongs to the deployment."""

    __tablename__ = "log_tile"

    level: int = Field(primary_key=True)
    idx: int = Field(primary_key=True, sa_type=BigInteger)
    data: bytes


class LogCheckpoint(SQLModel, table=True):
    """A signed head. It extends exactly one other: two that extend the same one would be a fork."""

    __tablename__ = "log_checkpoint"

    tree_size: int = Field(primary_key=True, sa_type=BigInteger)
    previous_size: int = Field(unique=True, sa_type=BigInteger)
    root: bytes
    note: str
    signed_at: datetime = Field(sa_type=Instant)
    published_at: datetime | None = Field(default=None, sa_type=Instant)
