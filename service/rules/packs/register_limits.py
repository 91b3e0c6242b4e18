"""Limits that the register keeps: what may still be issued, and the issuer's own cap on holders.

Both facts are the register's own. A scenario without them has no register behind it, and no such limits.

Source: api.md section 5, ``issued_quantity`` and ``caps``.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.rule import SALES, AtMost, Deny, Finding, Note, Rule


def _check_unissued(facts: Facts) -> Iterator[Finding]:
    if not facts.has("state") or not facts.part("state").has("unissued"):
        return
    unissued = int(facts.part("state").number("unissued"))
    if facts.number("qty") > unissued:
        evidence = {"remaining": unissued, "requested": facts.number("qty")}
        yield Deny("INSUFFICIENT_BALANCE", Remedy("none"), evidence, smaller_may_pass=unissued > 0)
    yield AtMost(unissued)


def _check_holder_cap(facts: Facts) -> Iterator[Finding]:
    if not facts.has("caps") or not facts.part("caps").has("holders"):
        return
    limit = int(facts.part("caps").number("holders"))
    arriving = 0 if facts.part("buyer").flag("existing_holder") else 1
    leaving = int(facts.has("seller") and facts.part("seller").flag("exits"))
    after = int(facts.part("state").number("holders_of_record")) + arriving - leaving
    yield Note("after", after)
    if arriving and after > limit:
        yield Deny("US_12G_2000", Remedy("none"), {"limit": limit})


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
    Rule(
        id="register.holder_cap",
        citation="terms of the security: cap on holders",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("caps.holders", "state.holders_of_record", "buyer.existing_holder", "seller.exits"),
        actions=SALES,
        check=_check_holder_cap,
    ),
)
