"""The rule that a resale of restricted securities needs one open exemption."""

from collections.abc import Iterator

from service.rules.facts import Facts
from service.rules.packs.us_4a7 import CLASS_DAYS, try_4a7
from service.rules.packs.us_144a import try_144a
from service.rules.packs.us_resale import is_gift_for_nothing, try_routes, yield_group
from service.rules.packs.us_rule144 import (
    FORM_144_AMOUNT,
    FORM_144_UNITS,
    HOLDING_OTHER,
    HOLDING_REPORTING,
    try_rule144,
)
from service.rules.packs.us_rule144_volume import SHARE, SHARE_DEBT, WINDOW_MONTHS
from service.rules.rule import RESALES, Finding, Rule

RESALE_ROUTES = (try_rule144, try_4a7, try_144a)
PARAMETERS = {
    "rule144.holding_months_reporting": str(HOLDING_REPORTING),
    "rule144.holding_months_other": str(HOLDING_OTHER),
    "rule144.volume_share": str(SHARE),
    "rule144.volume_share_debt": str(SHARE_DEBT),
    "rule144.volume_window_months": str(WINDOW_MONTHS),
    "rule144.form_144_units": str(FORM_144_UNITS),
    "rule144.form_144_amount": str(FORM_144_AMOUNT),
    "4a7.class_days": str(CLASS_DAYS),
}
INPUTS = (
    "date qty price policy.elapsed_boundary seller.affiliate seller.affiliate_sales seller.lots "
    "buyer.accredited buyer.qib offering.reporting offering.current_public_info offering.shell offering.bad_actor "
    "offering.outstanding offering.unit_decimals offering.awtv offering.security offering.class_outstanding_since "
    "offering.fungible_with_listed trade.general_solicitation trade.info_package trade.info_rights_144a"
)


def _check_resale(facts: Facts) -> Iterator[Finding]:
    if not is_gift_for_nothing(facts):
        yield from yield_group(try_routes(facts, RESALE_ROUTES))


RESTRICTED_RESALE = Rule(
    id="us.resale",
    citation="17 CFR 230.144; Securities Act s4(a)(7), 4(d); 17 CFR 230.144A",
    source="secondary",
    confidence="H",
    basis="law",
    inputs=tuple(INPUTS.split()),
    actions=RESALES,
    parameters=PARAMETERS,
    check=_check_resale,
)
