"""Identity and sanctions, for every party of every action.

Who did not act, such as the transferor under a court's order, is bound by sanctions only.

Source: rules.yaml, actions.S0_always, kyc_model.
"""

from collections.abc import Iterator
from datetime import date
from functools import partial

from service.rules.decision import Remedy
from service.rules.facts import Facts, Number, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.rule import Deny, Finding, Note, Require, Review, Rule

_CIP = "31 CFR 1023.220"
_OFAC = "31 CFR ch. V"
_LEVELS = ("low", "substantial", "high")
_BLOCK_AND_REPORT = Require("OBL_BLOCK_AND_REPORT_IF_US_NEXUS", on_deny=True)
BO_REGIMES = ("US", "HK", "UK", "EU", "SG")
_LINE = 25
_BLOCKED_AGGREGATE = 50
_LINE_INCLUDED = Schedule(
    Row("SG US", effective_to=date(2027, 7, 9)),
    Row("EU SG US", date(2027, 7, 10), citation="Reg (EU) 2024/1624 art 52"),
)
"""Regimes that ask for whoever holds just 25 per cent; the others ask for more."""


def _present_kyc(facts: Facts, kind: str = "present") -> Remedy:
    return Remedy("renew" if kind == "renew" else "present", purpose=facts.part("offering").text("regime"))


def _check_identified(_role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    if not party.flag("identified"):
        yield Deny("COUNTERPARTY_UNIDENTIFIED", _present_kyc(facts))


def _check_kyc_validity(_role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    if not party.has("kyc_valid_until"):
        yield Deny("KYC_MISSING", _present_kyc(facts), basis="law")
        return
    last_valid = party.day("kyc_valid_until")
    if facts.day("date") > last_valid:
        yield Deny("KYC_EXPIRED", _present_kyc(facts, "renew"), {"last_valid": last_valid})


def _check_assurance(_role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    if not party.has("kyc_valid_until"):
        return  # KYC_MISSING says it; there is no KYC whose level could be read
    level = party.text("kyc_loa")
    if level not in _LEVELS or _LEVELS.index(level) < _LEVELS.index("substantial"):
        yield Deny("KYC_LOA_TOO_LOW", _present_kyc(facts, "renew"), {"kyc_loa": level})


def _check_beneficial_owners(_role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    if any_holds(*(partial(_lacks_identification, facts, party, owner) for owner in party.parts("owners"))):
        yield Deny("BO_INCOMPLETE", _present_kyc(facts, "renew"), {"threshold": _LINE})


def _lacks_identification(facts: Facts, party: Facts, owner: Facts) -> bool:
    return all_hold(lambda: not owner.flag("identified"), lambda: _must_be_identified(facts, party, owner))


def _must_be_identified(facts: Facts, party: Facts, owner: Facts) -> bool:
    pct = owner.number("pct")
    if pct == _LINE:
        return party.text("bo_regime") in facts.in_force(_LINE_INCLUDED).split()
    return pct > _LINE


def _check_sanctions(_role: str, party: Facts, _facts: Facts) -> Iterator[Finding]:
    result = party.text("sanctions")
    if result == "potential":
        yield Review("SANCTIONS_POTENTIAL_MATCH", Remedy("none"))
    elif result != "clear":
        yield Deny("SANCTIONS_HIT", Remedy("none"))
        yield _BLOCK_AND_REPORT


def _check_blocked_owners(_role: str, party: Facts, _facts: Facts) -> Iterator[Finding]:
    blocked: list[Number] = [owner.number("pct") for owner in party.parts("owners") if owner.flag("blocked")]
    if not blocked:
        return
    aggregate = sum(blocked)
    yield Note("aggregate", aggregate)
    if aggregate >= _BLOCKED_AGGREGATE:
        yield Deny("SANCTIONS_50PCT", Remedy("none"))
        yield _BLOCK_AND_REPORT
    else:
        yield Review("SANCTIONS_OWNERSHIP_REVIEW", Remedy("none"))


def _check_screening_age(_role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    age = party.number("screen_age_hours")
    limit = facts.part("policy").number("max_screen_age_hours")
    if not 0 <= age <= limit:
        yield Deny("AML_SCREEN_STALE", _present_kyc(facts, "renew"), {"screen_age_hours": age, "limit": limit})


def _check_pep(_role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    if party.flag("pep") and not party.flag("edd_done"):
        yield Deny("PEP_EDD_REQUIRED", _present_kyc(facts, "renew"))


def _check_parties_named(facts: Facts) -> Iterator[Finding]:
    action = facts.text("action")
    if action not in {"primary", "distribution"}:
        facts.part("seller")
    if action not in {"redemption", "conversion"}:
        facts.part("buyer")
    yield from ()


RULES = (
    Rule(
        id="always.parties",
        citation="policy: fail closed",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("action", "seller", "buyer"),
        check=_check_parties_named,
    ),
    Rule(
        id="always.identified",
        citation=_CIP,
        source="recall",
        confidence="H",
        basis="law",
        inputs=("*.identified",),
        idle_if=("*.identified", True),
        check_party=_check_identified,
    ),
    Rule(
        id="always.kyc_valid",
        citation=_CIP,
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("date", "*.kyc_valid_until"),
        check_party=_check_kyc_validity,
    ),
    Rule(
        id="always.kyc_assurance",
        citation="policy: identity assurance substantial (eIDAS) or above",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("*.kyc_valid_until", "*.kyc_loa"),
        parameters={"minimum": "substantial"},
        idle_if=("*.kyc_loa", "substantial"),
        check_party=_check_assurance,
    ),
    Rule(
        id="always.beneficial_owners",
        citation="31 CFR 1010.230; AMLO (Cap. 615) Sch 2 s1; MLR 2017 reg 5",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("*.owners", "*.bo_regime"),
        parameters={"line": str(_LINE), "line_included": _LINE_INCLUDED},
        idle_if=("*.owners", []),
        check_party=_check_beneficial_owners,
    ),
    Rule(
        id="always.sanctions",
        citation=_OFAC,
        source="recall",
        confidence="H",
        basis="law",
        inputs=("*.sanctions",),
        idle_if=("*.sanctions", "clear"),
        check_party=_check_sanctions,
        binds_unwilling=True,
    ),
    Rule(
        id="always.sanctions_owners",
        citation="OFAC 50 Percent Rule (13 Aug 2014)",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("*.owners",),
        effective_from=date(2008, 2, 14),
        parameters={"aggregate": str(_BLOCKED_AGGREGATE)},
        idle_if=("*.owners", []),
        check_party=_check_blocked_owners,
        binds_unwilling=True,
    ),
    Rule(
        id="always.screening_age",
        citation="policy: sanctions screening at most policy.max_screen_age_hours old",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("*.screen_age_hours", "policy.max_screen_age_hours"),
        check_party=_check_screening_age,
        binds_unwilling=True,
    ),
    Rule(
        id="always.pep",
        citation="FATF Recommendation 12",
        source="recall",
        confidence="H",
        basis="law",
        inputs=("*.pep", "*.edd_done"),
        idle_if=("*.pep", False),
        check_party=_check_pep,
    ),
)
