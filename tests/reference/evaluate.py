"""Which checks each action makes, and their sum."""

from datetime import date
from typing import Any

from tests.reference import always, holder_caps, mechanics
from tests.reference.facts import Facts
from tests.reference.regimes import PRIMARY, primary_checks, resale_checks
from tests.reference.verdict import Check, Finding, MissingFactError, OpenQuestionError, Verdict, combine, leave_open

PARTIES = {"primary": ["buyer"], "redemption": ["seller"]}
LIFE_EVENTS = {"forced", "inheritance", "recovery"}
UNFIXED = {"release", "distribution", "conversion"}
IN_FORCE_SINCE = {"eu.ecspr": date(2021, 11, 10)} | dict.fromkeys(
    ("uk.poatr_qi", "uk.poatr_150", "uk.poatr_50k", "uk.poatr_small"), date(2026, 1, 19)
)


def evaluate_reference(given: dict[str, Any]) -> Verdict | None:
    """Judge one transfer.

    Open question: release, distribution and conversion, whose facts the scenario format does not have; regimes of which
    the book has no rules; and trades before a regime came into force.

    Args:
        given: ``given`` of a scenario of format 1, as written or as parsed.

    Returns:
        The verdict, or None where the book leaves it open.
    """
    facts = Facts(given)
    if facts.action in UNFIXED or facts.regime not in PRIMARY:
        return None
    since = IN_FORCE_SINCE.get(facts.regime)
    if since is not None and (not facts.has("date") or facts.today < since):
        return None
    return combine([*_party_checks(facts), *_mechanics(facts), *_caps(facts), *_regime(facts)])


def _party_checks(facts: Facts) -> list[Check]:
    checks: list[Check] = []
    for party in PARTIES.get(facts.action, ["seller", "buyer"]):
        if not facts.has(party):
            checks.append(lambda: _raise_missing())
            continue
        checks += always.sanctions_checks(facts, party)
        identity = always.identity_checks(facts, party)
        checks += [_open_if_not_passed(check) for check in identity] if _may_be_absent(facts, party) else identity
    return checks


def _raise_missing() -> Finding:
    raise MissingFactError("a party")


def _may_be_absent(facts: Facts, party: str) -> bool:
    """Tell whether a party need not act: the debtor, the dead, the one who lost their keys.

    Open question: how much of their identity must still be current.
    """
    return party == "seller" and facts.action in LIFE_EVENTS


def _open_if_not_passed(check: Check) -> Check:
    def judge() -> Finding:
        try:
            finding = check()
        except (MissingFactError, OpenQuestionError):
            finding = None
        if finding is None or finding.outcome != "permit":
            leave_open("the standing of a party who need not act")
        return finding

    return judge


def _mechanics(facts: Facts) -> list[Check]:
    checks: list[Check] = [
        lambda: mechanics.check_venue(facts),
        lambda: mechanics.check_offering_state(facts),
        lambda: mechanics.check_frozen(facts, "seller", "SENDER_FROZEN"),
        lambda: mechanics.check_frozen(facts, "buyer", "RECIPIENT_FROZEN"),
        lambda: mechanics.check_lockup(facts),
        lambda: mechanics.check_minimum_quantity(facts),
    ]
    if facts.action != "redemption":
        checks.append(lambda: mechanics.check_jurisdiction(facts))
    if facts.action != "primary":
        checks.append(lambda: mechanics.check_balance(facts))
    if facts.action in LIFE_EVENTS:
        checks += [lambda: mechanics.check_document(facts), lambda: mechanics.check_dual_control(facts)]
    if facts.action == "recovery":
        checks.append(lambda: mechanics.check_same_subject(facts))
    if facts.action == "pledge":
        checks.append(lambda: mechanics.check_pledge(facts))
    return checks


def _caps(facts: Facts) -> list[Check]:
    """A pledge, a redemption and a recovery bring no new holder."""
    if facts.action in {"pledge", "redemption", "recovery"} or not facts.has("buyer"):
        return []
    return [
        lambda: holder_caps.check_fund_owners(facts),
        lambda: holder_caps.check_qualified_purchaser(facts),
        lambda: holder_caps.check_holders_of_record(facts),
        lambda: holder_caps.check_non_accredited_holders(facts),
    ]


def _regime(facts: Facts) -> list[Check]:
    """A forced transfer or an inheritance skips holding periods and categories; the lots become hold-only."""
    if facts.action == "primary":
        return primary_checks(facts)
    if facts.action in {"secondary", "liquidation", "gift"}:
        return resale_checks(facts)
    return []
