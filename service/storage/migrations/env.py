"""Alembic environment; started by ``service.storage.migrate`` with a live connection."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import AutoString, SQLModel

import service.storage.tables  # noqa: F401  (fills the metadata)
from service.storage.types import Amount, Instant, JsonColumn, Quantity


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our column types by name in generated migrations."""
    if kind != "type":
        return False
    names = {
        Instant: "types.Instant()",
        Quantity: "types.Quantity()",
        Amount: "types.Amount()",
        AutoString: "sa.String()",
    }
    return "types.JsonColumn" if item is JsonColumn else names.get(type(item), False)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_item=render_item,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
