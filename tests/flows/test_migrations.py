"""Migrations bring an older database to what the tables say, with its holders counted, on both kinds."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from service.keys import DataKey, FileKeystore, KeystoreError
from service.storage import migrations
from service.storage.database import Database
from service.storage.held_lists import list_held_lists
from service.storage.migrate import upgrade
from service.storage.past import (
    RecordIncompleteError,
    find_record_start,
    list_investors_as_of,
    list_standing_as_of,
    read_statuses_as_of,
    read_trust_as_of,
)
from service.storage.personal_data import open_presented
from service.storage.standings import list_investors, list_standing, read_investor_keys
from service.storage.statuses import StatusQuery, open_statuses
from service.storage.subject_keys import name_presentation, read_subject_keys
from service.storage.tables import Investor, PresentationRequest, TrustedIssuer

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


def fill_with_promises(connection: Connection) -> None:
    """As of 0008: what is held and what ended, a pledged lot, and sales by affiliates, one of them given up."""
    counters = {"holders": 1, "holders_reserved": 1, "outstanding": "15", "outstanding_reserved": "0"}
    insert(connection, "security", **(SECURITY | counters))
    insert(connection, "lot", **LOT, id="l1", investor_ref="alice", quantity="10")
    pledge = {"lien_transfer_id": "t0", "lien_holder_ref": "bank", "lien_recourse": True}
    insert(connection, "lot", **LOT, id="l2", investor_ref="alice", quantity="5", **pledge)
    sale = {"action": "secondary", "seller_ref": "alice", "seller_affiliate": True}
    for name, route, ending in (("t1", None, None), ("t2", "4a7", "settled"), ("t3", "rule144", "void")):
        values = TRANSFER | sale | {"route": route} if route else TRANSFER | sale
        insert(connection, "transfer", **values, id=name, idempotency_key=name, buyer_ref="bob")
        held = {"held": ending is None, "taker_ref": "bob", "quantity": "5"}
        insert(connection, "reservation", **(RESERVATION | held), transfer_id=name, holder_slots=1)
        if ending:
            ended_at = "2026-01-02 00:00:00"
            insert(connection, "reservation_ending", org_id="o", transfer_id=name, state=ending, ended_at=ended_at)


async def test_what_was_promised_pledged_and_sold_by_affiliates_is_found_again(database_url: str) -> None:
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0008")
        await connection.run_sync(fill_with_promises)
        await connection.run_sync(upgrade_to, "0009")

        async def read(query: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in (await connection.execute(text(query))).all()]

        assert await read("SELECT transfer_id, taker_org_id, taker_ref FROM held_reservation") == [("t1", "o", "bob")]
        assert await read("SELECT transfer_id, holder_org_id, investor_ref FROM affiliate_sale") == [
            ("t1", "o", "alice")
        ]
        assert await read("SELECT id, lien_org_id FROM lot ORDER BY id") == [("l1", None), ("l2", "o")]
        assert await read("SELECT DISTINCT taker_org_id FROM reservation") == [("o",)]
    for table in ("reservation", "reservation_ending"):
        async with database.engine.connect() as connection:
            with pytest.raises(DBAPIError, match="never change"):
                await connection.execute(text(f"DELETE FROM {table}"))
    await database.close()


async def test_reasons_of_older_decisions_are_found(database_url: str) -> None:
    """As of 0024: a denial in one form, a denial in two, and a permit; in more pages than one."""
    reasons = {"a": '{"reasons":[{"code":"B"},{"code":"A"},{"code":"B"}]}', "b": '{"reasons":[{"code":"SECRET"}]}'}

    def fill_with_denials(connection: Connection) -> None:
        denied = TRANSFER | {"outcome": "deny", "bundle": "{}"}
        insert(connection, "transfer", **TRANSFER | {"payload": '{"reasons":[]}'}, id="t0", idempotency_key="0")
        insert(connection, "transfer", **denied | {"payload": reasons["a"]}, id="t1", idempotency_key="1")
        outward = {"payload": reasons["b"], "outward_payload": '{"reasons":[{"code":"RESTRICTED"}]}'}
        insert(connection, "transfer", **denied | outward, id="t2", idempotency_key="2")
        for number in range(3, 600):
            insert(connection, "transfer", **denied | {"payload": "{}"}, id=f"t{number}", idempotency_key=str(number))

    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0024")
        await connection.run_sync(fill_with_denials)
        await connection.run_sync(upgrade_to, "0025")
        query = "SELECT transfer_id, readers, code, place FROM transfer_reason ORDER BY transfer_id, place, readers"
        found = [tuple(row) for row in (await connection.execute(text(query))).all()]
    await database.close()
    assert found == [
        ("t1", "all", "B", 0),
        ("t1", "all", "A", 1),
        ("t2", "compliance", "SECRET", 0),
        ("t2", "others", "RESTRICTED", 0),
    ]


STATUS_COPY = {
    "issuer": "https://abroad.example",
    "bits": 2,
    "packed": b64encode(bytes([0b0100])).decode(),
    "exp": 1798761600,
    "ttl": 600,
}


def fill_standing(connection: Connection) -> None:
    """An investor of a platform that trusts one issuer, with a credential whose foreign list was fetched."""
    moment = "2026-01-02 00:00:00"
    organization = {
        "id": "o",
        "name": "O",
        "slug": "o",
        "roles": "[]",
        "did": "did:web:o",
        "trust_version": 3,
        "is_transfer_agent": False,
    }
    insert(connection, "organization", **organization, created_at=moment)
    insert(
        connection,
        "investor",
        org_id="o",
        ref="ada",
        frozen=True,
        screening='{"result": "clear"}',
        kyc_issuer="https://abroad.example",
        kyc_sub="s",
        created_at=moment,
        updated_at=moment,
    )
    insert(
        connection,
        "standing_credential",
        org_id="o",
        id="std_1",
        investor_ref="ada",
        request_id="r",
        credential_type="kyc",
        vct="v",
        issuer="https://abroad.example",
        digest="d",
        holder_thumbprint="h",
        claims='{"country": "US"}',
        status_uri="https://abroad.example/1",
        status_index=1,
        issued_at=moment,
        expires_at="2027-01-02 00:00:00",
        presented_at=moment,
    )
    insert(
        connection,
        "trusted_issuer",
        org_id="o",
        id="abroad",
        issuer="https://abroad.example",
        credential_types='["kyc"]',
        jurisdictions="[]",
        valid_from="2026-01-01",
        trust_version=2,
        updated_at=moment,
    )
    document = {"org_id": "o", "issued_at": moment, "fetched_at": moment}
    insert(
        connection, "cached_document", **document, url="status:https://abroad.example/1", body=json.dumps(STATUS_COPY)
    )
    insert(connection, "cached_document", **document, url="https://abroad.example/keys", body="{}")


async def test_history_starts_at_the_state_that_an_older_database_is_in(database_url: str, tmp_path: Path) -> None:
    database, keystore = Database(database_url), FileKeystore(tmp_path / "keys", "p")
    async with database.engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0005")
        await connection.run_sync(fill_standing)
    await upgrade(database, keystore)
    created_at = datetime(2026, 1, 2, tzinfo=UTC)
    async with database.reading() as session:
        keys = await read_investor_keys(session, keystore, "o", ["ada"])
        since = await find_record_start(session, "o", "ada")
        investor = (await list_investors_as_of(session, keys, "o", ["ada"], since))["ada"]
        assert (investor.row, investor.complete_since) == (await session.get(Investor, ("o", "ada")), since)
        assert investor.known == (await list_investors(session, keys, "o", ["ada"]))["ada"]
        assert await list_standing_as_of(session, keys, "o", ["ada"], since) == await list_standing(
            session, keys, "o", ["ada"]
        )
        assert await list_standing_as_of(session, keys, "o", ["ada"], created_at) == {"ada": []}
        trust = await read_trust_as_of(session, "o", since)
        assert (trust.version, trust.entries) == (3, [await session.get(TrustedIssuer, ("o", "abroad"))])
        statuses = [await read_foreign_status(session, created_at + timedelta(hours=hours)) for hours in (-1, 1, 25)]
        assert statuses == [None, 1, None]
        held = await list_held_lists(session, "o")
        assert list(held) == ["https://abroad.example/1"]
        query = StatusQuery("https://abroad.example", "https://abroad.example/1", 1)
        source = await open_statuses(await session.connection(), "https://here.example", {"o": [query]})
        assert source.read("o", query, created_at + timedelta(hours=1)).value == 1
        assert await list_investors_as_of(session, keys, "o", ["ada"], created_at - timedelta(seconds=1)) == {}
        with pytest.raises(RecordIncompleteError, match="on record from 20") as refused:
            await list_investors_as_of(session, keys, "o", ["ada"], created_at)
        assert refused.value.code == "record_incomplete"
    await database.close()


async def read_foreign_status(session: AsyncSession, at: datetime) -> int | None:
    query = StatusQuery("https://abroad.example", "https://abroad.example/1", 1)
    base_url = "https://here.example"
    return (await read_statuses_as_of(session, base_url=base_url, org_id="o", queries=[query], at=at))[query].value


async def test_migrations_make_what_the_tables_say(database: Database) -> None:
    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


async def test_an_older_version_goes_on_offering_and_issuing(database: Database) -> None:
    offer = (
        "INSERT INTO credential_offer (org_id, id, credential_configuration_id, subject_ref, sealed_claims,"
        " sealed_code, code_sha256, tx_code_attempts, state, created_at, expires_at)"
        " VALUES ('o', 'f', 'kyc', 's', '', '', 'c', 0, 'pending', '2026-01-02', '2026-01-02')"
    )
    notification = (
        "INSERT INTO issuance_notification (org_id, notification_id, token_sha256, credential_id)"
        " VALUES ('o', 'n', 't', 'c')"
    )
    letter = (
        "INSERT INTO credential_letter (org_id, credential_id, sealed, sha256, made_by, made_at)"
        " VALUES ('o', 'c', '', 's', 'm', '2026-01-02')"
    )
    async with database.engine.begin() as connection:
        for statement in (offer, notification, letter):
            await connection.execute(text(statement))
        [[kind]] = await connection.execute(text("SELECT grant_type FROM credential_offer"))
        [[language]] = await connection.execute(text("SELECT language FROM credential_letter"))
    assert (kind, language) == ("pre-authorized_code", "en")


async def test_what_an_older_version_kept_in_plain_is_sealed(database_url: str, tmp_path: Path) -> None:
    database, keystore = Database(database_url), FileKeystore(tmp_path / "keys", "p")
    async with database.engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0005")
        await connection.run_sync(fill_with_people)
    with pytest.raises(KeystoreError):
        await upgrade(database, Refusing(keystore, after=3))
    async with database.engine.connect() as connection:  # killed half-way, the version of before still reads its rows
        stamp = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
        kept = (await connection.execute(text("SELECT kyc_sub FROM investor ORDER BY ref"))).scalars().all()
    assert (stamp, kept) == ("0005", ["Canary-sub", None])
    await upgrade(database, keystore)
    async with database.reading() as session:
        keys = await read_investor_keys(session, keystore, "o", ["ada", "ben"])
        people = await list_investors(session, keys, "o", ["ada", "ben"])
        standing = await list_standing(session, keys, "o", ["ada", "ben"])
        request = await session.get_one(PresentationRequest, ("o", "p1"))
        key = await read_subject_keys(await session.connection(), keystore, "o", [name_presentation("p1")])
    assert (people["ada"].screening, people["ada"].kyc_sub) == ({"result": "clear"}, "Canary-sub")
    assert (people["ben"].screening, people["ben"].kyc_sub) == (None, None)
    assert [row.id for row in standing["ada"]] == [f"s{number}" for number in reversed(range(600, 1203))]
    kept_row = standing["ada"][-1]
    assert (kept_row.claims, kept_row.digest, kept_row.holder_thumbprint, kept_row.statuses[0].index) == (
        {"given_name": "Canary-600"},
        "Canary-digest",
        "Canary-holder",
        7,
    )
    assert open_presented(key[name_presentation("p1")], request).credentials == [{"claims": {"x": "Canary"}}]
    await database.close()
    if database.is_sqlite:
        assert b"Canary" not in (tmp_path / "goodstanding.sqlite3").read_bytes()


class Refusing:
    """A keystore that fails while the rows are sealed."""

    def __init__(self, keystore: FileKeystore, *, after: int) -> None:
        self._keystore, self._left = keystore, after

    def create_data_key(self, *, purpose: str) -> bytes:
        return self._keystore.create_data_key(purpose=purpose)

    def open_data_key(self, wrapped: bytes, *, purpose: str) -> DataKey:
        self._left -= 1
        if self._left < 0:
            raise KeystoreError("The disk is gone.")
        return self._keystore.open_data_key(wrapped, purpose=purpose)


def fill_with_people(connection: Connection) -> None:
    now = "2026-01-02 00:00:00"
    stamps = {"created_at": now, "updated_at": now}
    insert(
        connection,
        "investor",
        **stamps,
        org_id="o",
        ref="ada",
        frozen=False,
        screening='{"result": "clear"}',
        kyc_sub="Canary-sub",
    )
    insert(connection, "investor", **stamps, org_id="o", ref="ben", frozen=False)
    for number in range(600, 1203):  # more than two pages
        insert(
            connection,
            "standing_credential",
            org_id="o",
            id=f"s{number}",
            investor_ref="ada",
            request_id="p1",
            credential_type="kyc",
            vct="v",
            issuer="i",
            digest="Canary-digest",
            holder_thumbprint="Canary-holder",
            status_uri="u",
            status_index=7,
            expires_at=now,
            presented_at=f"2026-01-02 00:{number // 60:02}:{number % 60:02}",
            claims=f'{{"given_name": "Canary-{number}"}}',
        )
    insert(
        connection,
        "presentation_request",
        org_id="o",
        id="p1",
        state="verified",
        dcql_query="{}",
        response_mode="direct_post",
        client_id="c",
        nonce="n",
        wallet_state="w",
        request_object="",
        checks="[]",
        created_at=now,
        expires_at=now,
        credentials='[{"claims": {"x": "Canary"}}]',
    )
