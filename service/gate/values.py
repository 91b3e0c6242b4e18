"""Value types of the gate's request bodies."""

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from service.web.instants import read_instant as parse_instant

MAX_QUANTITY = 10**30
SECONDS_PER_HOUR = 3600
CLOCK_TOLERANCE = timedelta(seconds=10)
FIRST_YEAR, LAST_YEAR = 1900, 2999

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_date(value: Any) -> date:
    """Read a civil date."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("must be a civil date, YYYY-MM-DD")


def check_year(value: date) -> date:
    """Keep dates so far from either end of the calendar that no period counted from them leaves it."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"must be of a year from {FIRST_YEAR} to {LAST_YEAR}")
    return value


def read_instant(value: Any) -> datetime:
    """Read an RFC 3339 instant as UTC."""
    if not isinstance(value, str):
        raise ValueError("must be an RFC 3339 instant with its offset")
    try:
        instant = parse_instant(value)
    except OverflowError:
        raise ValueError("must be an instant of the calendar") from None
    check_year(instant)
    return instant


def _check_quantity(value: str) -> str:
    if int(value) > MAX_QUANTITY:
        raise ValueError("must be at most 10^30")
    return value


def check_unique(values: list[str]) -> list[str]:
    """Refuse a list that names anything twice."""
    if len(set(values)) != len(values):
        raise ValueError("must not name anything twice")
    return values


def _write_country(code: str) -> str:
    """Write the United Kingdom as ISO 3166-1 does, so that a list that says UK means who lives in GB."""
    return "GB" if code == "UK" else code


CivilDate = Annotated[date, BeforeValidator(read_date)]
Moment = Annotated[datetime, BeforeValidator(read_instant)]
QuantityText = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,30}$"), AfterValidator(_check_quantity)]
DecimalText = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?$")]
ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), AfterValidator(_write_country)]
State = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Countries = Annotated[list[Country], AfterValidator(check_unique)]
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


def count_hours(age: timedelta) -> Decimal:
    """Return an age in hours, rounded up to a thousandth: what is a second too old must not look fresh.

    What lies in the future by no more than clocks differ is as old as now.
    """
    if -CLOCK_TOLERANCE <= age < timedelta(0):
        age = timedelta(0)
    seconds = Decimal(age // timedelta(milliseconds=1)) / 1000
    return (seconds / SECONDS_PER_HOUR).quantize(Decimal("0.001"), rounding=ROUND_CEILING)


def price_per_unit(amount: str, unit_decimals: int) -> Decimal:
    """Return the exact price of one smallest unit, from the price of a whole unit."""
    sign, digits, exponent = Decimal(amount).as_tuple()
    assert isinstance(exponent, int)  # the pattern lets no NaN or infinity through
    return Decimal((sign, digits, exponent - unit_decimals))


def key_of_name(name: str) -> str:
    """Return what two spellings of one issuer's name share: case, width and space don't tell issuers apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
