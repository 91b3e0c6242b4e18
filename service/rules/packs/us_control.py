"""Control securities: what an affiliate of the issuer holds needs an exemption to be resold, restricted or not.

Source: Securities Act section 2(a)(11); 17 CFR 230.144(a)(1), (b)(2).
"""

from collections.abc import Iterator

from service.rules.facts import Facts
from service.rules.packs.us_4a7 import try_4a7
from service.rules.packs.us_144a import try_144a
from service.rules.packs.us_resale import is_gift_for_nothing, try_routes, yield_group
from service.rules.packs.us_restricted import INPUTS, PARAMETERS
from service.rules.packs.us_rule144 import try_rule144_control
from service.rules.rule import RESALES, Finding, Rule

CONTROL_ROUTES = (try_rule144_control, try_4a7, try_144a)


def _check_control(facts: Facts) -> Iterator[Finding]:
    if not is_gift_for_nothing(facts) and facts.part("seller").flag("affiliate"):
        yield from yield_group(try_routes(facts, CONTROL_ROUTES))


CONTROL_RESALE = Rule(
    id="us.control_resale",
    citation="Securities Act s2(a)(11); 17 CFR 230.144(a)(1), (b)(2)",
    source="recall",
    confidence="H",
    basis="law",
    inputs=("action", *INPUTS.split()),
    actions=RESALES,
    parameters={name: value for name, value in PARAMETERS.items() if "holding" not in name},
    check=_check_control,
)
