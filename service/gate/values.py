"""Value types of the gate's request bodies."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, StringConstraints

MAX_QUANTITY = 10**30

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _read_date(value: Any) -> Any:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("must be a civil date, YYYY-MM-DD")


def _check_quantity(value: str) -> str:
    if int(value) > MAX_QUANTITY:
        raise ValueError("must be at most 10^30")
    return value


def _check_unique(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("must not name anything twice")
    return values


CivilDate = Annotated[date, BeforeValidator(_read_date)]
QuantityText = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,30}$"), AfterValidator(_check_quantity)]
DecimalText = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?$")]
ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
State = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Countries = Annotated[list[Country], AfterValidator(_check_unique)]
Action = Literal[
    "primary",
    "secondary",
    "pledge",
    "release",
    "liquidation",
    "redemption",
    "gift",
    "inheritance",
    "forced",
    "recovery",
    "distribution",
    "conversion",
]
LotOrigin = Literal["issuer", "affiliate", "nonaffiliate", "gift", "estate", "pledge_recourse", "pledge_nonrecourse"]


def price_per_unit(amount: str, unit_decimals: int) -> Decimal:
    """Return the exact price of one smallest unit, from the price of a whole unit."""
    sign, digits, exponent = Decimal(amount).as_tuple()
    assert isinstance(exponent, int)  # the pattern lets no NaN or infinity through
    return Decimal((sign, digits, exponent - unit_decimals))
