"""Migrations bring an older database to what the tables say, with its holders counted, on both kinds."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from service.storage import migrations
from service.storage.database import Database

SECURITY = {"org_id": "o", "id": "s", "version": 1, "issued": "90", "outstanding": "15", "outstanding_reserved": "0"}
LOT = {
    "org_id": "o",
    "security_id": "s",
    "offering_id": "f",
    "holder_org_id": "o",
    "acquired_from": "issuer",
    "reserved": "0",
    "acquired_on": "2026-01-02",
    "hold_only": False,
    "created_at": "2026-01-02 00:00:00",
}
TRANSFER = {
    "org_id": "o",
    "registrar_org_id": "o",
    "security_id": "s",
    "action": "secondary",
    "quantity": "5",
    "trade_date": "2026-01-02",
    "request": "{}",
    "outcome": "permit",
    "request_sha256": "",
    "payload": "",
    "decided_at": "2026-01-02 00:00:00",
    "expires_at": "2026-01-02 00:00:00",
    "decision_hash": "",
    "decision_jws": "",
    "bundle": "",
}
RESERVATION = {
    "org_id": "o",
    "registrar_org_id": "o",
    "security_id": "s",
    "new_quantity": "0",
    "held": True,
    "expires_at": "2026-01-02 00:00:00",
}


def upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def insert(connection: Connection, table: str, **values: Any) -> None:
    """Write literals: the driver would ask for the types that the models no longer have."""
    texts = [str(value).lower() if isinstance(value, bool | int) else f"'{value}'" for value in values.values()]
    connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(texts)})"))


def fill(connection: Connection) -> None:
    """One holder of two lots, and two purchases on their way to somebody new, each with a slot of its own."""
    insert(connection, "security", **SECURITY, holders=1, holders_reserved=2)
    insert(connection, "offering", org_id="o", security_id="s", id="f", version=1, position=0)
    insert(connection, "lot", **LOT, id="l1", investor_ref="alice", quantity="10")
    insert(connection, "lot", **LOT, id="l2", investor_ref="alice", quantity="5")
    insert(connection, "lot", **LOT, id="l3", investor_ref="gone", quantity="0")
    for number in ("1", "2"):
        insert(connection, "transfer", **TRANSFER, id=f"t{number}", idempotency_key=number, buyer_ref="bob")
        insert(connection, "reservation", **RESERVATION, transfer_id=f"t{number}", holder_slots=1)


async def test_an_older_register_is_counted(database_url: str) -> None:
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0001")
        await connection.run_sync(fill)
        await connection.run_sync(upgrade_to, "head")
        heads = (await connection.execute(text("SELECT * FROM security"))).mappings().all()
        holders = (await connection.execute(text("SELECT * FROM holder ORDER BY investor_ref"))).mappings().all()
        offered = (await connection.execute(text("SELECT last_issued_on FROM offering"))).scalar_one()
    await database.close()
    names = ("holders", "nonaccredited_holders", "beneficial_owners")
    assert [(heads[0][name], heads[0][f"{name}_reserved"]) for name in names] == [(1, 1)] * 3
    described = [
        (each["investor_ref"], int(each["quantity"]), each["pending"], int(each["pending_quantity"]))
        for each in holders
    ]
    assert described == [("alice", 15, 0, 0), ("bob", 0, 2, 10), ("gone", 0, 0, 0)]
    assert str(offered) == "2026-01-02"


async def test_migrations_make_what_the_tables_say(database: Database) -> None:
    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(compare) == []
