"""What the register knows of an issuer's sales and offers: the facts that limits over time are checked with.

Which of them a decision needs is what the offering's rules say that they read; nothing else is looked up. Sales that
are promised count as if they were settled, until they end.

Source: gate.md section 3; rules.yaml, ``state_needed``.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, String, and_, bindparam, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from service.gate.rows import Holder
from service.gate.values import key_of_name
from service.rules import REGIMES
from service.rules.dates import add_months
from service.rules.packs.us_506b import WINDOW_DAYS
from service.storage.core import table_of
from service.storage.prepared import fetch_all
from service.storage.tables import DailySales, Offeree, Purchase

_LOCK_SCOPE = (
    text("SELECT CAST(pg_advisory_xact_lock(:key) AS text) AS locked")
    .bindparams(bindparam("key", type_=BigInteger))
    .columns(locked=String)
)
MONTHS = 12
LONGEST_SETTLEMENT = timedelta(days=8)
"""Sales that are agreed today may bear a later date; they count as of today, which is never too few."""


@dataclass(frozen=True, slots=True)
class Window:
    """Whose sales and offers are looked at, and as of when.

    Attributes:
        org_id: The registrar.
        on: Trade date; windows end with it.
        now: Until when a promise must last to count.
        buyer: Left out of the counts of persons: the rules add the buyer themselves.
        buyer_country: Residence, so that its count is said even where it is zero.
        except_id: The transfer that is being settled; its own promise is left out.
    """

    org_id: str
    security_id: str
    offering_id: str
    issuer: str
    regime: str
    currency: str
    on: date
    now: datetime
    buyer: Holder
    buyer_country: str | None = None
    except_id: str | None = None

    @property
    def first(self) -> date:
        """The first day of the twelve months, both ends included."""
        return add_months(self.on, -MONTHS)

    def alive(self) -> ColumnElement[bool]:
        """Settled, or still promised to somebody else's transfer."""
        promised = and_(col(Purchase.expires_at) > self.now, col(Purchase.id) != (self.except_id or ""))
        return or_(col(Purchase.expires_at).is_(None), promised)


@cache
def list_window_facts(regime: str, action: str = "primary") -> frozenset[str]:
    """Return the facts of this module that the rules of a regime read."""
    rules = [rule for rule in REGIMES[regime].rules if action in rule.actions]
    return frozenset(path for rule in rules for path in rule.inputs if path in _READERS)


def keeps_purchases(regime: str) -> bool:
    """Tell whether any limit looks back at sales under the regime."""
    return bool(list_window_facts(regime) & SALES_FACTS)


def counts_offerees(regime: str) -> bool:
    """Tell whether a limit of the regime counts those to whom was offered."""
    return bool(list_window_facts(regime) - SALES_FACTS)


async def read_windows(
    connection: AsyncConnection, window: Window, offerings: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the facts by the id of each offering under which a sale may be made.

    Args:
        window: Of the security; each offering's own terms are put in.
    """
    of_offerings = [
        replace(
            window, offering_id=each["id"], issuer=key_of_name(each["issuer"] or window.issuer), regime=each["regime"]
        )
        for each in offerings
        if list_window_facts(each["regime"])
    ]
    return {each.offering_id: await read_window_facts(connection, each) for each in of_offerings}


async def read_window_facts(connection: AsyncConnection, window: Window) -> dict[str, Any]:
    """Return the facts by path; one that the register cannot know is left out, so that rules ask for it."""
    found = {path: await _READERS[path](connection, window) for path in sorted(list_window_facts(window.regime))}
    return {path: value for path, value in found.items() if value is not None}


async def lock_issuers(connection: AsyncConnection, org_id: str, issuers: Iterable[str]) -> None:
    """Let everything about the same issuer's sales follow one another: the row of one security does not do that."""
    await lock_scopes(connection, {_issuer_scope(org_id, each) for each in issuers})


def name_scopes(org_id: str, issuer: str, offerings: Iterable[Mapping[str, Any]], buyer: tuple[str, str]) -> set[str]:
    """Name what to lock before deciding about a sale: nobody else may decide about the same limits meanwhile.

    Args:
        issuer: The security's; offerings may name another.
    """
    limited = [each for each in offerings if list_window_facts(each["regime"])]
    issuers = {key_of_name(each["issuer"] or issuer) for each in limited}
    scopes = {_issuer_scope(org_id, each) for each in issuers}
    return scopes | ({f"buyer {buyer[0]} {buyer[1]}"} if limited else set())  # who may buy of several issuers


def _issuer_scope(org_id: str, issuer: str) -> str:
    return f"issuer {org_id} {issuer}"


async def lock_scopes(connection: AsyncConnection, scopes: Iterable[str]) -> None:
    """Wait for every scope, in this order, and keep it until the transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name == "sqlite":
        return
    for scope in sorted(scopes):
        key = int.from_bytes(hashlib.sha256(scope.encode()).digest()[:8], "big", signed=True)
        await fetch_all(connection, _LOCK_SCOPE, {"key": key})


async def _sum_own_regime(connection: AsyncConnection, window: Window) -> Decimal | None:
    return await _sum_sales(connection, window, (window.regime, *REGIMES[window.regime].counting.together_with))


async def _sum_sales(connection: AsyncConnection, window: Window, regimes: tuple[str, ...]) -> Decimal | None:
    """Return what the issuer sold in twelve months; None where a price is unknown or in another currency."""
    days = select(table_of(DailySales)).where(
        col(DailySales.org_id) == window.org_id,
        col(DailySales.issuer) == window.issuer,
        col(DailySales.regime).in_(regimes),
        col(DailySales.sold_on).between(window.first, window.on + LONGEST_SETTLEMENT),
    )
    promised = select(table_of(Purchase)).where(
        col(Purchase.org_id) == window.org_id,
        col(Purchase.issuer) == window.issuer,
        col(Purchase.regime).in_(regimes),
        col(Purchase.expires_at) > window.now,
        col(Purchase.id) != (window.except_id or ""),
    )
    sold = (await connection.execute(days)).all()
    amounts = [
        *((each.currency, None if each.unpriced else each.amount) for each in sold),
        *((each.currency, each.amount) for each in (await connection.execute(promised)).all()),
    ]
    if any(amount is None or currency != window.currency for currency, amount in amounts):
        return None
    return sum((amount for _, amount in amounts if amount is not None), Decimal(0))


async def _list_nonaccredited(connection: AsyncConnection, window: Window) -> list[dict[str, Any]]:
    """Return the other purchasers of the window, each once, with the day of the latest purchase.

    Source: 17 CFR 230.506(b)(2)(i).
    """
    first = window.on - timedelta(days=WINDOW_DAYS - 1)
    query = select(table_of(Purchase)).where(
        col(Purchase.org_id) == window.org_id,
        col(Purchase.issuer) == window.issuer,
        col(Purchase.regime) == window.regime,
        col(Purchase.bought_on).between(first, window.on + LONGEST_SETTLEMENT),
        col(Purchase.nonaccredited),
        window.alive(),
    )
    latest: dict[Holder, date] = {}
    for row in (await connection.execute(query.order_by(col(Purchase.bought_on), col(Purchase.id)))).all():
        latest[Holder(row.buyer_org_id, row.buyer_ref)] = min(row.bought_on, window.on)
    latest.pop(window.buyer, None)
    return [{"date": day, "count": 1} for day in latest.values()]


async def _list_investments(connection: AsyncConnection, window: Window) -> list[dict[str, Any]] | None:
    """Return the buyer's own purchases under the regime, of all issuers that this platform sells for.

    Source: 17 CFR 227.100(a)(2).
    """
    query = select(table_of(Purchase)).where(
        col(Purchase.buyer_org_id) == window.buyer.org_id,
        col(Purchase.buyer_ref) == window.buyer.investor_ref,
        col(Purchase.regime) == window.regime,
        col(Purchase.bought_on).between(window.first, window.on + LONGEST_SETTLEMENT),
        window.alive(),
    )
    rows = (await connection.execute(query.order_by(col(Purchase.bought_on), col(Purchase.id)))).all()
    if any(row.amount is None or row.currency != window.currency for row in rows):
        return None
    return [{"date": min(row.bought_on, window.on), "amount": row.amount} for row in rows]


async def _list_offerees(connection: AsyncConnection, window: Window, *scope: ColumnElement[bool]) -> list[Row[Any]]:
    """Return the others to whom was offered and whom the regime counts."""
    query = select(table_of(Offeree)).where(
        col(Offeree.org_id) == window.org_id,
        col(Offeree.issuer) == window.issuer,
        col(Offeree.regime) == window.regime,
        ~col(Offeree.qualified),
        *scope,
    )
    rows = (await connection.execute(query)).all()
    return [row for row in rows if Holder(row.offeree_org_id, row.investor_ref) != window.buyer]


def _of_offering(window: Window) -> tuple[ColumnElement[bool], ...]:
    return (col(Offeree.security_id) == window.security_id, col(Offeree.offering_id) == window.offering_id)


async def _count_offerees(connection: AsyncConnection, window: Window) -> int:
    months = REGIMES[window.regime].counting.offeree_months
    if months is not None:
        return await _count_persons_since(connection, window, add_months(window.on, -months))
    return len(await _list_offerees(connection, window, *_of_offering(window)))


async def _count_offerees_12m(connection: AsyncConnection, window: Window) -> int:
    return await _count_persons_since(connection, window, window.first)


async def _count_persons_since(connection: AsyncConnection, window: Window, first: date) -> int:
    """Count persons over all offerings of the issuer under the regime: closely related offers are one."""
    rows = await _list_offerees(connection, window, col(Offeree.offered_on) >= first)
    return len({(row.offeree_org_id, row.investor_ref) for row in rows})


async def _count_by_country(connection: AsyncConnection, window: Window) -> Mapping[str, int]:
    """Count by country; an offeree of an unknown one may be of any."""
    rows = await _list_offerees(connection, window, *_of_offering(window))
    countries = {row.country for row in rows if row.country} | {window.buyer_country or ""} - {""}
    return {country: sum(row.country in (country, None) for row in rows) for country in sorted(countries)}


async def _count_in_uk(connection: AsyncConnection, window: Window) -> int:
    rows = await _list_offerees(connection, window, *_of_offering(window))
    return sum(row.country in ("GB", None) for row in rows)


_Reader = Callable[[AsyncConnection, Window], Awaitable[Any]]
_SALES: Mapping[str, _Reader] = {
    "state.consideration_12m": _sum_own_regime,
    "state.issuer_cf_sold_12m": _sum_own_regime,
    "state.issuer_rega_sold_12m": _sum_own_regime,
    "state.nonaccredited_sales": _list_nonaccredited,
    "buyer.cf_purchases": _list_investments,
}
SALES_FACTS = frozenset(_SALES)
_READERS: Mapping[str, _Reader] = {
    **_SALES,
    "state.offerees": _count_offerees,
    "state.offerees_12m": _count_offerees_12m,
    "state.offerees_by_ms": _count_by_country,
    "state.offerees_uk": _count_in_uk,
}
