"""Rule 144(e): what an affiliate may sell in three months.

Source: 17 CFR 230.144(e)(1)-(2), as in force since 2008-02-15.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from service.rules.dates import add_months, first_day_outside
from service.rules.facts import Facts, Number
from service.rules.schema import one_of, read_amount
from service.rules.worksheet import InvestorLimit, Worksheet

IN_FORCE_FROM = date(2008, 2, 15)
SHARE = Decimal("0.01")
SHARE_DEBT = Decimal("0.1")
WINDOW_MONTHS = 3
PARAMETERS = {"volume_share": str(SHARE), "volume_share_debt": str(SHARE_DEBT)}


def is_debt(offering: Facts) -> bool:
    """Tell whether the lighter terms of debt apply; a security of unknown kind has the stricter ones of equity."""
    return offering.has("security") and offering.text("security") == "debt"


def _take_share(security: Facts) -> Number:
    return security.number("outstanding") * (SHARE_DEBT if is_debt(security) else SHARE)


def _list_sales(facts: Facts) -> Sequence[tuple[date, Number]]:
    """Return the sales of the window, both ends included, oldest first."""
    first = add_months(facts.day("date"), -WINDOW_MONTHS)
    sales = ((sale.day("date"), sale.number("qty")) for sale in facts.part("seller").parts("affiliate_sales"))
    return sorted((sold_on, quantity) for sold_on, quantity in sales if sold_on >= first)


class Volume:
    """The limit for one transfer's seller, and what the window has used of it.

    Attributes:
        used: Units that the window's sales have used.
    """

    __slots__ = ("_facts", "_sales", "used")

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._sales = _list_sales(facts)
        self.used: Number = sum((quantity for _, quantity in self._sales), 0)

    @property
    def limit(self) -> Number | None:
        """The greater of the measures, or None while one is unknown; trading volume may be null: not traded."""
        offering = self._facts.part("offering")
        if not offering.has("outstanding") or not (offering.has("awtv") or offering.is_null("awtv")):
            return None
        return max(self._measures())

    @property
    def remaining(self) -> Number:
        """What the greater of the known measures leaves."""
        return max(max(self._measures(), default=0) - self.used, 0)

    def _measures(self) -> list[Number]:
        offering, measures = self._facts.part("offering"), list[Number]()
        if offering.has("outstanding"):
            measures.append(_take_share(offering))
        if offering.has("awtv"):
            measures.append(offering.number("awtv"))
        return measures

    def allows(self, wanted: Number) -> bool:
        """Tell whether ``wanted`` more may be sold; one measure that allows it is enough.

        Raises:
            MissingFactError: No known measure allows it and the other is unknown.
        """
        if any(self.used + wanted <= measure for measure in self._measures()):
            return True
        offering = self._facts.part("offering")
        offering.number("outstanding")
        if not offering.is_null("awtv"):
            offering.number("awtv")
        return False

    def find_day_for(self, wanted: Number) -> date | None:
        """Return the first day on which enough earlier sales have left the window."""
        limit, used = self.limit, self.used
        for sold_on, quantity in self._sales:
            used -= quantity
            if limit is not None and used + wanted <= limit:
                return first_day_outside(sold_on, WINDOW_MONTHS)
        return None


def _compute_limit(figures: Facts, sheet: Worksheet) -> Number:
    share = _take_share(figures)
    sheet.note("share", share)
    percent = 10 if is_debt(figures) else 1
    sheet.explain("{percent} per cent of what is outstanding: {share}", percent=percent, share=share)
    if figures.is_null("awtv"):
        sheet.state("average weekly trading volume is reported", False)
        return share
    traded = figures.number("awtv")
    sheet.note("awtv", traded)
    sheet.explain("average weekly trading volume of the four weeks before: {traded}", traded=traded)
    return max(share, traded)


LIMITS = (
    InvestorLimit(
        id="us.rule144.volume",
        title="Rule 144: units that an affiliate may sell in three months",
        citation="17 CFR 230.144(e)",
        source="secondary",
        confidence="H",
        currency=None,
        figures={"awtv": read_amount, "outstanding": read_amount, "security": one_of("debt", "equity")},
        compute=_compute_limit,
        parameters=PARAMETERS,
        effective_from=IN_FORCE_FROM,
    ),
)
