"""Limits that the register keeps: what may still be issued, and the issuer's own caps on holders.

These facts are the register's own. A scenario without them has no register behind it, and no such limits.

Source: api.md section 5, ``issued_quantity`` and ``caps``.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.packs.holder_counts import (
    count_added_owners,
    count_arriving,
    count_leaving,
    is_known_nonaccredited,
)
from service.rules.rule import SALES, AtMost, Deny, Finding, Note, Rule, TransferCheck


def _check_unissued(facts: Facts) -> Iterator[Finding]:
    if not facts.has("state") or not facts.part("state").has("unissued"):
        return
    unissued = int(facts.part("state").number("unissued"))
    if facts.number("qty") > unissued:
        evidence = {"remaining": unissued, "requested": facts.number("qty")}
        yield Deny("INSUFFICIENT_BALANCE", Remedy("none"), evidence, smaller_may_pass=True)
    yield AtMost(unissued)


def _find_cap(facts: Facts, name: str) -> int | None:
    caps = facts.part("caps") if facts.has("caps") else None
    return int(caps.number(name)) if caps is not None and caps.has(name) else None


def _check_holder_cap(facts: Facts) -> Iterator[Finding]:
    limit = _find_cap(facts, "holders")
    if limit is None:
        return
    arriving = count_arriving(facts)
    after = int(facts.part("state").number("holders_of_record")) + arriving - count_leaving(facts)
    yield Note("after", after)
    if arriving and after > limit:
        yield Deny("US_12G_2000", Remedy("none"), {"limit": limit})


def _check_nonaccredited_cap(facts: Facts) -> Iterator[Finding]:
    limit, buyer = _find_cap(facts, "nonaccredited_holders"), facts.part("buyer")
    if limit is None or (buyer.has("accredited") and buyer.flag("accredited")):
        return
    after = int(facts.part("state").number("nonaccredited_holders")) + count_arriving(facts)
    if count_leaving(facts) and is_known_nonaccredited(facts.part("seller")):
        after -= 1
    yield Note("after", after)
    if after > limit:
        buyer.flag("accredited")  # unknown, it may be what takes the buyer out of the count
        if count_leaving(facts):
            facts.part("seller").flag("accredited")  # unknown, it may be what frees a place
        yield Deny("US_12G_500_NONACC", Remedy("none"), {"limit": limit})


def _check_owner_cap(facts: Facts) -> Iterator[Finding]:
    limit = _find_cap(facts, "beneficial_owners")
    if limit is None:
        return
    added = count_added_owners(facts.part("buyer")) - count_leaving(facts)
    after = int(facts.part("state").number("beneficial_owners")) + added
    yield Note("after", after)
    if after > limit:
        yield Deny("US_3C1_LIMIT", Remedy("none"), {"limit": limit})


def _cap_rule(name: str, cap: str, what: str, check: TransferCheck, *inputs: str) -> Rule:
    return Rule(
        id=f"register.{name}_cap",
        citation=f"terms of the security: cap on {what}",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=(f"caps.{cap}", "buyer.existing_holder", "seller.exits", *inputs),
        actions=SALES,
        check=check,
    )


RULES = (
    Rule(
        id="register.unissued",
        citation="register: issued quantity of the security",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("qty", "state.unissued"),
        actions=frozenset({"primary", "distribution"}),
        check=_check_unissued,
    ),
    _cap_rule("holder", "holders", "holders", _check_holder_cap, "state.holders_of_record"),
    _cap_rule(
        "nonaccredited",
        "nonaccredited_holders",
        "non-accredited holders",
        _check_nonaccredited_cap,
        *("state.nonaccredited_holders", "buyer.accredited", "seller.accredited"),
    ),
    _cap_rule(
        "owner",
        "beneficial_owners",
        "beneficial owners",
        _check_owner_cap,
        *("state.beneficial_owners", "buyer.is_fund", "buyer.pct_voting_after", "buyer.own_owners"),
    ),
)
