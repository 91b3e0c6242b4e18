"""Counts of holders that US law or the issuer's policy caps, whatever exemption the lots were sold under.

Source: 15 U.S.C. 80a-3(c)(1), (c)(7); 15 U.S.C. 78l(g); rules.yaml regimes us.3c1, us.3c7, us.12g.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.rule import SALES, Deny, Finding, Note, Rule

BENEFICIAL_OWNERS: Mapping[str, int] = MappingProxyType({"3c1": 100, "3c1_qvcf": 250})
LOOK_THROUGH_PCT = 10
ASSETS_ABOVE = 10_000_000
HOLDERS_OF_RECORD, NONACCREDITED_HOLDERS = 1_999, 499


def _count_leaving(facts: Facts) -> int:
    return int(facts.has("seller") and facts.part("seller").flag("exits"))


def _count_owners(buyer: Facts) -> int:
    """Return how many beneficial owners the buyer counts as, over what it counts already."""
    counted = int(buyer.flag("existing_holder"))
    if buyer.flag("is_fund") and buyer.number("pct_voting_after") >= LOOK_THROUGH_PCT:
        return int(buyer.number("own_owners")) - counted
    return 1 - counted


def _check_beneficial_owners(facts: Facts) -> Iterator[Finding]:
    offering = facts.part("offering")
    limit = BENEFICIAL_OWNERS.get(offering.text_or_none("ica") or "")
    if limit is None:
        return
    owners = int(facts.part("state").number("beneficial_owners"))
    after = owners + _count_owners(facts.part("buyer")) - _count_leaving(facts)
    yield Note("after", after)
    if after > limit:
        yield Deny("US_3C1_LIMIT", Remedy("none"), {"limit": limit})


def _check_qualified_purchaser(facts: Facts) -> Iterator[Finding]:
    offering = facts.part("offering")
    if offering.text_or_none("ica") == "3c7" and not facts.part("buyer").flag("qp"):
        yield Deny("US_3C7_NOT_QP", Remedy("present", purpose=offering.text("regime")))


def _is_12g_counted(facts: Facts) -> bool:
    offering = facts.part("offering")
    if not offering.flag("exchange_act_12g") or offering.number("total_assets") <= ASSETS_ABOVE:
        return False
    return not (offering.has("conditional_12g_exempt") and offering.flag("conditional_12g_exempt"))


def _check_holders_of_record(facts: Facts) -> Iterator[Finding]:
    if not _is_12g_counted(facts):
        return
    arriving = 0 if facts.part("buyer").flag("existing_holder") else 1
    after = int(facts.part("state").number("holders_of_record")) + arriving - _count_leaving(facts)
    yield Note("after", after)
    if after > HOLDERS_OF_RECORD:
        yield Deny("US_12G_2000", Remedy("none"), {"limit": HOLDERS_OF_RECORD})


def _check_nonaccredited_holders(facts: Facts) -> Iterator[Finding]:
    if not _is_12g_counted(facts) or facts.part("buyer").flag("accredited"):
        return
    arriving = 0 if facts.part("buyer").flag("existing_holder") else 1
    leaving = _count_leaving(facts) if facts.has("seller") and not facts.part("seller").flag("accredited") else 0
    after = int(facts.part("state").number("nonaccredited_holders")) + arriving - leaving
    yield Note("after", after)
    if after > NONACCREDITED_HOLDERS:
        yield Deny("US_12G_500_NONACC", Remedy("none"), {"limit": NONACCREDITED_HOLDERS})


RULES = (
    Rule(
        id="us.3c1.owners",
        citation="15 U.S.C. 80a-3(c)(1)",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("offering.ica", "state.beneficial_owners", "buyer.existing_holder", "buyer.is_fund", "seller.exits"),
        actions=SALES,
        parameters={**{name: str(limit) for name, limit in BENEFICIAL_OWNERS.items()}, "look_through_pct": "10"},
        check=_check_beneficial_owners,
    ),
    Rule(
        id="us.3c7.qualified_purchaser",
        citation="15 U.S.C. 80a-3(c)(7)",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("offering.ica", "buyer.qp"),
        actions=SALES,
        effective_from=date(1997, 4, 9),
        check=_check_qualified_purchaser,
    ),
    Rule(
        id="us.12g.holders",
        citation="15 U.S.C. 78l(g)(1)(A)(i)",
        source="secondary",
        confidence="H",
        basis="issuer_policy",
        inputs=("offering.exchange_act_12g", "offering.total_assets", "state.holders_of_record"),
        actions=SALES,
        parameters={"cap": str(HOLDERS_OF_RECORD), "assets_above": str(ASSETS_ABOVE)},
        check=_check_holders_of_record,
    ),
    Rule(
        id="us.12g.nonaccredited",
        citation="15 U.S.C. 78l(g)(1)(A)(ii)",
        source="secondary",
        confidence="H",
        basis="issuer_policy",
        inputs=("offering.exchange_act_12g", "offering.total_assets", "state.nonaccredited_holders"),
        actions=SALES,
        parameters={"cap": str(NONACCREDITED_HOLDERS), "assets_above": str(ASSETS_ABOVE)},
        check=_check_nonaccredited_holders,
    ),
)
