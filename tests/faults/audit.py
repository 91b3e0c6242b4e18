"""After a storm: does what the database and the log hold agree with what clients were told, and with itself?"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.database import Database
from service.storage.tables import AuditEntry, HeldReservation, Lot, Reservation, ReservationEnding, Security, Transfer
from tests.faults.estate import SECURITY, Estate
from tests.faults.history import Operation, Recorder
from tests.faults.register_model import RESOLUTION_S

LOG_TIMEOUT_S = 30.0


def _table(model: Any) -> Table:
    found: Table = model.__table__
    return found


TRANSFER, RESERVATION, ENDING = _table(Transfer), _table(Reservation), _table(ReservationEnding)
LOT, HEAD, ENTRY, HELD = _table(Lot), _table(Security), _table(AuditEntry), _table(HeldReservation)


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that the database says about the capped security.

    Attributes:
        decisions: By id: outcome, and the instant it was made.
        endings: By id of the decision: state, and when.
        keys: How many decisions each idempotency key has.
        head: Row with the counters.
        lots: Rows.
        held: Reservations without an ending.
        listed: Ids of those that the service itself lists as held.
        logged: How many places in the log each decision and each ending has.
    """

    decisions: dict[str, Any]
    endings: dict[str, Any]
    keys: Counter[tuple[str, str]]
    head: Any
    lots: Sequence[Any]
    held: Sequence[Any]
    listed: set[str]
    logged: Counter[tuple[str, str]]


async def read_books(estate: Estate) -> Books:
    """Read the register's rows, once the log has taken in everything that was committed."""
    database = Database(estate.database_url)
    try:
        await _wait_for_log(database)
        async with database.engine.connect() as connection:
            return await _read(connection)
    finally:
        await database.close()


async def _wait_for_log(database: Database) -> None:
    waiting = select(func.count()).where(ENTRY.c.idx.is_(None))
    deadline = time.monotonic() + LOG_TIMEOUT_S
    while True:
        async with database.engine.connect() as connection:
            left = (await connection.execute(waiting)).scalar_one()
        if left == 0:
            return
        assert time.monotonic() < deadline, f"{left} entries never reached the log"
        await asyncio.sleep(0.1)


async def _read(connection: AsyncConnection) -> Books:
    transfers = (await connection.execute(select(TRANSFER).where(TRANSFER.c.security_id == SECURITY))).all()
    endings = (await connection.execute(select(ENDING))).all()
    reservations = (await connection.execute(select(RESERVATION).where(RESERVATION.c.security_id == SECURITY))).all()
    ended = {row.transfer_id for row in endings}
    entries = select(ENTRY.c.subject_id, ENTRY.c.kind).where(ENTRY.c.idx.is_not(None))
    return Books(
        decisions={row.id: row for row in transfers},
        endings={row.transfer_id: row for row in endings},
        keys=Counter((row.org_id, row.idempotency_key) for row in transfers),
        head=(await connection.execute(select(HEAD).where(HEAD.c.id == SECURITY))).one(),
        lots=(await connection.execute(select(LOT).where(LOT.c.security_id == SECURITY))).all(),
        held=[row for row in reservations if row.transfer_id not in ended],
        listed=set((await connection.execute(select(HELD.c.transfer_id))).scalars()),
        logged=Counter((row.subject_id, row.kind) for row in (await connection.execute(entries)).all()),
    )


def check_acknowledged(books: Books, operations: Sequence[Operation]) -> None:
    """Whatever a client was told is on record, as it was told, once."""
    told = [each.answer | {"what": each.what} for each in operations if each.answer and each.what == "decide"]
    for answer in told:
        assert answer["id"] in books.decisions, f"acknowledged and missing: {answer}"
        assert books.decisions[answer["id"]].outcome == answer["outcome"]
        assert 0 <= books.decisions[answer["id"]].decided_at.timestamp() - answer["at"] < RESOLUTION_S
    assert len({answer["id"] for answer in told}) == len(told), "two requests were given one decision"
    assert set(books.keys.values()) <= {1}, "one key has two decisions"
    for each in operations:
        if each.what in ("settle", "void") and each.answer:
            assert books.endings[each.asked["id"]].state == each.answer["state"], each


def check_log(books: Books) -> None:
    """Every decision is in the log exactly once, and every ending."""
    expected = Counter((key, "transfer.decided") for key in books.decisions)
    expected.update((key, f"transfer.{row.state}") for key, row in books.endings.items())
    logged = Counter({each: n for each, n in books.logged.items() if each[1].startswith("transfer.")})
    assert logged == expected, {"missing": expected - logged, "too many": logged - expected}


def check_counters(books: Books) -> None:
    """The counters are the sums of the rows."""
    holders = {(lot.holder_org_id, lot.investor_ref) for lot in books.lots if lot.quantity > 0}
    promised = {(each.taker_org_id, each.taker_ref) for each in books.held if each.taker_ref is not None}
    head = books.head
    assert (head.holders, head.holders_reserved) == (len(holders), len(promised - holders))
    assert head.outstanding == sum(lot.quantity for lot in books.lots)
    assert head.outstanding_reserved == sum(each.new_quantity for each in books.held)
    assert books.listed == {each.transfer_id for each in books.held}, "the list of what is held is out of date"
    permits = {key for key, row in books.decisions.items() if row.outcome == "permit"}
    assert permits == {each.transfer_id for each in books.held} | books.endings.keys()
    settled = Counter(lot.source_transfer_id for lot in books.lots)
    assert settled == Counter(key for key, row in books.endings.items() if row.state == "settled")


def add_hints(recorder: Recorder, operations: Sequence[Operation], books: Books) -> None:
    """Note when the database says that clients ended reservations, which their answers don't tell."""
    for each in operations:
        if each.answer and each.answer.get("state") in ("settled", "void"):
            recorder.hint(each.id, books.endings[each.asked["id"]].ended_at.timestamp())
