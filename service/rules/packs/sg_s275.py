"""Singapore: offers to institutional investors (SFA s274) and to relevant persons (s275).

The two are used together and bind resale alike, so an offering under either is open to whom both cover.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy, Value
from service.rules.facts import Facts, is_known
from service.rules.needs import AML, KYC, QUALIFIED, ask_if_held
from service.rules.packs.consideration import count_units_reaching
from service.rules.packs.sg_eligible import (
    IN_FORCE_FROM,
    INPUTS,
    LARGE_AMOUNT,
    OPT_IN_NEEDED,
    is_eligible,
    is_eligible_class,
)
from service.rules.packs.sg_resale import build_resale_rule, may_acquire
from service.rules.rule import AtLeast, Deny, Finding, Regime, Rule

_NOT_ELIGIBLE = "The buyer has not opted in as accredited, is of no other eligible class, and pays too little."


def _check_primary(facts: Facts) -> Iterator[Finding]:
    if not is_eligible(facts):
        purpose = facts.part("offering").text("regime")
        evidence: dict[str, Value] = {"sg_class": facts.part("buyer").text("sg_class"), "threshold": LARGE_AMOUNT}
        yield Deny("SG_AI_NOT_OPTED_IN", Remedy("represent", purpose=purpose), evidence, message=_NOT_ELIGIBLE)
    elif not is_known(lambda: is_eligible_class(facts)):
        yield AtLeast(count_units_reaching(LARGE_AMOUNT, facts.number("price")))


def _regime(section: int, title: str) -> Regime:
    regime_id = f"sg.s{section}"
    primary = Rule(
        id=f"{regime_id}.buyer",
        citation="SFA ss274, 275(1), (1A), (2), 4A",
        source="primary",
        confidence="H",
        basis="law",
        inputs=tuple(INPUTS.split()),
        actions=frozenset({"primary"}),
        effective_from=IN_FORCE_FROM,
        parameters={"large_amount": str(LARGE_AMOUNT), "opt_in_needed": OPT_IN_NEEDED},
        check=_check_primary,
    )
    return Regime(
        id=regime_id,
        title=f"Singapore, {title}",
        citation=f"SFA ss{section}, 276",
        source="primary",
        confidence="H",
        needs=(KYC, AML, ask_if_held(QUALIFIED)),
        effective_from=IN_FORCE_FROM,
        rules=(primary, build_resale_rule(regime_id, "SFA s276(1), (2)")),
        may_acquire=may_acquire,
    )


REGIMES = (_regime(274, "institutional investors"), _regime(275, "relevant persons"))
