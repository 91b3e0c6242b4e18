"""Counts of holders that US law or the issuer's policy caps, whatever exemption the lots were sold under.

Source: 15 U.S.C. 80a-3(c)(1), (c)(7); 15 U.S.C. 78l(g); rules.yaml regimes us.3c1, us.3c7, us.12g.
"""

from collections.abc import Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.law import Row, Schedule
from service.rules.packs.holder_counts import (
    LOOK_THROUGH_PCT,
    count_added_owners,
    count_arriving,
    count_leaving,
)
from service.rules.packs.us_resale import is_gift_for_nothing
from service.rules.rule import SALES, Deny, Finding, Note, Rule

OWNERS = 100
_VENTURE_FROM = date(2018, 5, 24)
_INVEST = "LW-US-INVEST"
VENTURE_OWNERS = Schedule(
    Row(OWNERS, effective_to=date(2018, 5, 23)),
    Row(250, _VENTURE_FROM, citation="15 U.S.C. 80a-3(c)(1)"),
    Row(500, citation="H.R. 3383", pending=_INVEST),
)
VENTURE_CAPITAL = Schedule(
    Row(10_000_000, _VENTURE_FROM, date(2024, 9, 29), citation="15 U.S.C. 80a-3(c)(1)(C)(i)"),
    Row(12_000_000, date(2024, 9, 30), citation="17 CFR 270.3c-7"),
    Row(50_000_000, citation="H.R. 3383", pending=_INVEST),
)
"""The most capital that a qualifying venture capital fund may have: what ``ica: 3c1_qvcf`` states of the issuer."""
ASSETS_ABOVE = 10_000_000
_JOBS_ACT = date(2012, 4, 5)
HOLDERS_OF_RECORD = Schedule(Row(499, effective_to=date(2012, 4, 4)), Row(1_999, _JOBS_ACT))
NONACCREDITED_HOLDERS = 499


def _find_owner_limit(facts: Facts) -> int | None:
    match facts.part("offering").text_or_none("ica"):
        case "3c1":
            return OWNERS
        case "3c1_qvcf":
            return facts.in_force(VENTURE_OWNERS)
    return None


def _check_beneficial_owners(facts: Facts) -> Iterator[Finding]:
    limit = _find_owner_limit(facts)
    if limit is None or is_gift_for_nothing(facts):  # 270.3c-6: who is given the interest counts as the giver
        return
    owners = int(facts.part("state").number("beneficial_owners"))
    after = owners + count_added_owners(facts.part("buyer")) - count_leaving(facts)
    yield Note("after", after)
    if after > limit:
        yield Deny("US_3C1_LIMIT", Remedy("none"), {"limit": limit})


def _check_qualified_purchaser(facts: Facts) -> Iterator[Finding]:
    offering = facts.part("offering")
    if offering.text_or_none("ica") != "3c7" or is_gift_for_nothing(facts):  # 270.3c-6 again
        return
    if not facts.part("buyer").flag("qp"):
        yield Deny("US_3C7_NOT_QP", Remedy("present", purpose=offering.text("regime")))


def _is_out_of_12g(offering: Facts) -> bool:
    """Tell whether something known keeps section 12(g) from counting this issuer's holders."""
    return any(
        (
            not offering.flag("exchange_act_12g"),
            offering.has("conditional_12g_exempt") and offering.flag("conditional_12g_exempt"),
            offering.has("total_assets") and offering.number("total_assets") <= ASSETS_ABOVE,
        )
    )


def _deny_if_counted(offering: Facts, code: str, limit: int) -> Deny:
    """Return the reason of a count over the limit.

    Raises:
        MissingFactError: The issuer's assets are not known and may be what keeps its holders from being counted.
    """
    offering.number("total_assets")
    return Deny(code, Remedy("none"), {"limit": limit})


def _check_holders_of_record(facts: Facts) -> Iterator[Finding]:
    offering, limit = facts.part("offering"), facts.in_force(HOLDERS_OF_RECORD)
    if _is_out_of_12g(offering):
        return
    after = int(facts.part("state").number("holders_of_record")) + count_arriving(facts) - count_leaving(facts)
    yield Note("after", after)
    if after > limit:
        yield _deny_if_counted(offering, "US_12G_2000", limit)


def _may_be_accredited(seller: Facts) -> bool:
    return not seller.has("accredited") or seller.flag("accredited")


def _check_nonaccredited_holders(facts: Facts) -> Iterator[Finding]:
    offering, buyer = facts.part("offering"), facts.part("buyer")
    if _is_out_of_12g(offering) or (buyer.has("accredited") and buyer.flag("accredited")):
        return
    after = int(facts.part("state").number("nonaccredited_holders")) + count_arriving(facts)
    if count_leaving(facts) and not _may_be_accredited(facts.part("seller")):
        after -= 1
    yield Note("after", after)
    if after > NONACCREDITED_HOLDERS:
        buyer.flag("accredited")  # unknown, it may be what takes the buyer out of the count
        if count_leaving(facts):
            facts.part("seller").flag("accredited")  # unknown, it may be what frees a place
        yield _deny_if_counted(offering, "US_12G_500_NONACC", NONACCREDITED_HOLDERS)


_COUNTED = (
    *("offering.exchange_act_12g", "offering.total_assets", "offering.conditional_12g_exempt"),
    *("buyer.existing_holder", "seller.exits"),
)
RULES = (
    Rule(
        id="us.3c1.owners",
        citation="15 U.S.C. 80a-3(c)(1); 17 CFR 270.3c-6",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=(
            *("date", "action", "price", "offering.ica", "state.beneficial_owners", "seller.exits"),
            *("buyer.existing_holder", "buyer.is_fund", "buyer.pct_voting_after", "buyer.own_owners"),
        ),
        actions=SALES,
        effective_from=date(1940, 11, 1),
        parameters={
            "3c1": str(OWNERS),
            "3c1_qvcf": VENTURE_OWNERS,
            "3c1_qvcf.capital": VENTURE_CAPITAL,
            "look_through_pct": str(LOOK_THROUGH_PCT),
        },
        idle_if=("offering.ica", None),
        check=_check_beneficial_owners,
    ),
    Rule(
        id="us.3c7.qualified_purchaser",
        citation="15 U.S.C. 80a-3(c)(7); 17 CFR 270.3c-6",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("action", "price", "offering.ica", "buyer.qp"),
        actions=SALES,
        effective_from=date(1997, 4, 9),
        idle_if=("offering.ica", None),
        check=_check_qualified_purchaser,
    ),
    Rule(
        id="us.12g.holders",
        citation="15 U.S.C. 78l(g)(1)(A)(i)",
        source="secondary",
        confidence="H",
        basis="issuer_policy",
        inputs=("date", *_COUNTED, "state.holders_of_record"),
        actions=SALES,
        effective_from=date(1996, 5, 9),
        parameters={"cap": HOLDERS_OF_RECORD, "assets_above": str(ASSETS_ABOVE)},
        idle_if=("offering.exchange_act_12g", False),
        check=_check_holders_of_record,
    ),
    Rule(
        id="us.12g.nonaccredited",
        citation="15 U.S.C. 78l(g)(1)(A)(ii)",
        source="secondary",
        confidence="H",
        basis="issuer_policy",
        inputs=(*_COUNTED, "buyer.accredited", "seller.accredited", "state.nonaccredited_holders"),
        actions=SALES,
        effective_from=_JOBS_ACT,
        parameters={"cap": str(NONACCREDITED_HOLDERS), "assets_above": str(ASSETS_ABOVE)},
        idle_if=("offering.exchange_act_12g", False),
        check=_check_nonaccredited_holders,
    ),
)
