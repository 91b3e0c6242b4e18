"""Sales by the issuer on their way through the register: promised, settled or given up, and who was offered."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, bindparam, case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.gate.rows import Head, Holder, TransferRow
from service.gate.values import key_of_name
from service.gate.windows import counts_offerees, keeps_purchases
from service.rules import REGIMES
from service.storage.core import insert_rows, start_upsert, table_of, upsert_rows
from service.storage.tables import DailySales, Offeree, Purchase


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale by the issuer, as it was decided.

    Attributes:
        facts: What the rules were given, in the form that a bundle keeps.
    """

    offering_id: str
    regime: str
    currency: str
    facts: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        """The key under which the issuer's sales are added up."""
        return key_of_name(self.facts["offering"]["issuer"])

    @property
    def is_left_out(self) -> bool:
        """Whether the buyer is one whom counts of offerees leave out."""
        return is_left_out(self.regime, self.facts["buyer"])

    @property
    def amount(self) -> Decimal:
        """What uses up a cap."""
        if self.is_left_out and REGIMES[self.regime].counting.leaves_out_amounts:
            return Decimal(0)
        return Decimal(self.facts["qty"]) * Decimal(self.facts["price"])

    @property
    def is_nonaccredited(self) -> bool:
        """Whether the buyer is a purchaser that Rule 506(b) counts. Source: 17 CFR 230.501(e)."""
        buyer = self.facts["buyer"]
        return buyer.get("accredited") is not True and buyer.get("excluded_501e") is not True


def is_left_out(regime: str, buyer: Mapping[str, Any]) -> bool:
    """Tell whether the facts about a person take it out of a regime's count of offerees."""
    fact = REGIMES[regime].counting.leaves_out
    return fact is not None and buyer.get(fact) is True


async def promise_sale(
    connection: AsyncConnection, head: Head, transfer: TransferRow, buyer: Holder, sale: Sale
) -> None:
    """Let a permitted sale count in the windows until it ends, and its buyer among those to whom was offered."""
    if keeps_purchases(sale.regime):
        row = {
            "org_id": head.org_id,
            "id": transfer.id,
            "security_id": head.id,
            "offering_id": sale.offering_id,
            "issuer": sale.issuer,
            "regime": sale.regime,
            "buyer_org_id": buyer.org_id,
            "buyer_ref": buyer.investor_ref,
            "bought_on": transfer.trade_date,
            "amount": sale.amount,
            "currency": sale.currency,
            "nonaccredited": sale.is_nonaccredited,
            "expires_at": transfer.expires_at,
        }
        await insert_rows(connection, Purchase, [row])
    if counts_offerees(sale.regime):
        offeree = {
            "org_id": head.org_id,
            "security_id": head.id,
            "offering_id": sale.offering_id,
            "offeree_org_id": buyer.org_id,
            "investor_ref": buyer.investor_ref,
            "issuer": sale.issuer,
            "regime": sale.regime,
            "country": sale.facts["buyer"].get("country"),
            "qualified": sale.is_left_out,
            "offered_on": transfer.trade_date,
            "recorded_at": transfer.decided_at,
        }
        await add_offeree(connection, offeree)


async def add_offeree(connection: AsyncConnection, offeree: Mapping[str, Any]) -> None:
    """Add somebody to whom was offered, or is again.

    What looks back for months then begins anew, and who no longer is left out counts.
    """
    table = table_of(Offeree)
    statement = start_upsert(Offeree, connection.dialect.name)
    new = statement.excluded
    later = case((new.offered_on > table.c.offered_on, new.offered_on), else_=table.c.offered_on)
    changes = {"offered_on": later, "qualified": and_(table.c.qualified, new.qualified)}
    upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes)
    await connection.execute(upsert, [offeree])


async def give_up_sales(connection: AsyncConnection, sales: Collection[tuple[str, str]]) -> None:
    """Take promised sales out of the windows, by registrar and transfer. That they were offered remains."""
    table = table_of(Purchase)
    delete = table.delete().where(table.c.org_id == bindparam("registrar"), table.c.id == bindparam("transfer"))
    if sales:
        await connection.execute(delete, [{"registrar": each[0], "transfer": each[1]} for each in sales])


async def settle_sale(connection: AsyncConnection, registrar_org_id: str, transfer_id: str) -> None:
    """Turn a promised sale into one that took place."""
    table = table_of(Purchase)
    own = (table.c.org_id == registrar_org_id, table.c.id == transfer_id)
    purchase = (await connection.execute(select(table).where(*own))).mappings().first()
    if purchase is not None:
        await connection.execute(table.update().where(*own).values(expires_at=None))
        await book_sale(connection, dict(purchase))


async def book_sale(connection: AsyncConnection, purchase: Mapping[str, Any]) -> None:
    """Add a settled sale to its day."""
    table = table_of(DailySales)
    key = {name: purchase[name] for name in ("org_id", "issuer", "regime", "currency")}
    key["sold_on"] = purchase["bought_on"]
    own = [table.c[name] == value for name, value in key.items()]
    day = (await connection.execute(select(table).where(*own))).mappings().first()
    amount = (day["amount"] if day else Decimal(0)) + (purchase["amount"] or 0)
    unpriced = (day["unpriced"] if day else 0) + (purchase["amount"] is None)
    await upsert_rows(connection, DailySales, [key | {"amount": amount, "unpriced": unpriced}])


def describe_offeree(offeree: Offeree) -> dict[str, Any]:
    """Return the published form."""
    recorded_at: datetime = offeree.recorded_at
    return {
        "id": f"{offeree.offeree_org_id}/{offeree.investor_ref}",
        "org_id": offeree.offeree_org_id,
        "investor_ref": offeree.investor_ref,
        "country": offeree.country,
        "qualified": offeree.qualified,
        "offered_on": offeree.offered_on.isoformat(),
        "recorded_at": recorded_at.isoformat().replace("+00:00", "Z"),
    }
