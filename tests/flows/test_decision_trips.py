"""What a lone decision asks of its database: trips to PostgreSQL, statements on SQLite. Bounds: none creeps in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from service.storage.database import Database
from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.prepared import prepared

TRIPS = {"sale": 6, "resale": 6}
STATEMENTS = {"sale": 23, "resale": 26}


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    for ref in ("alice", "bob"):
        await market.admit(ref)
    await market.open_lot("alice", 1000)
    return market


@contextmanager
def recording(database: Database) -> Iterator[list[str]]:
    """Gather what is sent while work is written: by the bare driver, and by SQLAlchemy's cursors where it is used."""
    found: list[str] = []
    if database.is_sqlite:
        driver = database._lines._writer._connection.driver  # type: ignore[union-attr]  # the line that is kept at hand
        driver.set_trace_callback(found.append)
        yield found
        driver.set_trace_callback(None)
        return

    def note(*arguments: Any) -> None:
        found.append(arguments[2])

    driver = database._lines._idle[-1]._connection.driver  # type: ignore[union-attr]  # as above
    engine: Engine = database._lines._engine.sync_engine  # type: ignore[union-attr]  # as above
    event.listen(engine, "before_cursor_execute", note)
    with driver.query_logger(lambda record: found.append(record.query)):
        yield found
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("kind", ["sale", "resale"])
async def test_a_lone_decision_goes_few_times_to_the_database(market: Market, kind: str) -> None:
    request = market.buy("bob", 1) if kind == "sale" else market.sell("alice", "bob", 1)
    for _ in range(2):  # what is read once in the life of a process is behind us
        assert (await market.decide(request))["outcome"] == "permit"
    database = market.deployment.context.database
    with recording(database) as sent:
        assert (await market.decide(request))["outcome"] == "permit"
    assert len(sent) <= (STATEMENTS if database.is_sqlite else TRIPS)[kind], "\n".join(sent)
    assert sent[-1].startswith("COMMIT"), "\n".join(sent)
