"""Rule 506(c): sales to verified accredited investors, and resale of the restricted securities so sold."""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.needs import AML, KYC, QUALIFIED_506C
from service.rules.packs import us_506c_verification
from service.rules.packs.us_506d import BAD_ACTOR
from service.rules.packs.us_restricted import RESTRICTED_RESALE
from service.rules.rule import Deny, Finding, Regime, Rule


def _check_accredited(facts: Facts) -> Iterator[Finding]:
    if not facts.part("buyer").flag("accredited"):
        yield Deny("US_NOT_ACCREDITED", Remedy("present", purpose="us.506c"))


ACCREDITED = Rule(
    id="us.506c.accredited",
    citation="17 CFR 230.506(c)(2)(i)",
    source="secondary",
    confidence="H",
    basis="law",
    inputs=("buyer.accredited",),
    actions=frozenset({"primary"}),
    effective_from=us_506c_verification.IN_FORCE_FROM,
    check=_check_accredited,
)

REGIMES = (
    Regime(
        id="us.506c",
        title="Regulation D, Rule 506(c)",
        citation="17 CFR 230.506(c)",
        source="secondary",
        confidence="H",
        needs=(KYC, AML, QUALIFIED_506C),
        asks_category="us.ai.",
        effective_from=us_506c_verification.IN_FORCE_FROM,
        rules=(BAD_ACTOR, ACCREDITED, *us_506c_verification.RULES, RESTRICTED_RESALE),
        may_acquire=lambda facts: facts.part("buyer").flag("accredited"),
    ),
)
