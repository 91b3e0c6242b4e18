"""The one evaluation: every rule runs, and their findings become one answer.

Deny overrides review overrides permit. A rule that needs an absent fact denies ``INPUT_MISSING``; a rule that fails
denies ``RULE_FAILED``; what rests on a rule of confidence L goes to review. Nothing here, or in a rule, assumes a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import localcontext
from functools import cache
from typing import Any

from service.rules.catalog import REGIMES, digest_rules
from service.rules.codes import ABOUT, MESSAGES, OBLIGATIONS, RANKS
from service.rules.decision import Evaluation, Obligation, Outcome, Reason, Remedy, Value
from service.rules.facts import EXACT, Facts, InvalidFactsError, MissingFactError, iterate_parties
from service.rules.law import CURRENT_LAW, Law
from service.rules.plan import plan_checks
from service.rules.rule import (
    ACTIONS,
    UNWILLED,
    AtLeast,
    AtMost,
    Deny,
    Finding,
    Note,
    Regime,
    Require,
    Review,
    Rule,
    Through,
)

_TO_ANYBODY = UNWILLED - {"recovery"}
"""Actions by which somebody may get lots whom the regime would not let buy; a recovery changes no owner."""
_OBLIGATIONS = tuple(Obligation(code, text) for code, text in OBLIGATIONS.items())


def evaluate_transfer(facts: Mapping[str, Any], law: Law = CURRENT_LAW) -> Evaluation:
    """Evaluate every rule that applies to one transfer.

    Pure and deterministic. The caller supplies every fact; none has a default here.

    Args:
        facts: ``given`` of the scenario format: nested mappings, civil dates as ``date``, exact numbers as ``int`` or
            ``Decimal``.
        law: Version of the rule set, and pending law to assume.

    Raises:
        InvalidFactsError: Regime or action is absent or unknown, so no rules can be chosen.

    Source: gate.md section 1; FACTS.md.
    """
    view = Facts(facts, law=law)
    regime, action = _choose_regime(view), _choose_action(view)
    tally = _Tally()
    with localcontext(EXACT):
        if view.has("date"):
            _run_rules(regime, action, view, tally)
        else:
            tally.take(_USABLE, None, Deny("INPUT_MISSING", Remedy("none"), {"field": "date"}), {})
        if action in _TO_ANYBODY and not _may_acquire(regime, view):
            tally.obligations.add("OBL_HOLD_ONLY")
    return tally.conclude(law)


def _run_rules(regime: Regime, action: str, facts: Facts, tally: "_Tally") -> None:
    day, parties = facts.day("date"), dict(iterate_parties(facts))
    plan = plan_checks(regime, action, tuple(parties), facts.law, day)
    if not plan.in_force:
        tally.take(_USABLE, None, _fail(regime.id, "not in force on this date"), {})
    arguments: dict[str | None, tuple[Any, ...]] = {role: (role, party, facts) for role, party in parties.items()}
    arguments[None] = (facts,)
    for rule, role, check in plan.choose_checks(facts):
        notes: dict[str, Value] = {}
        try:
            for finding in check(*arguments[role]):
                if rule.unless_eligible and regime.may_acquire(facts):
                    break
                tally.take(rule, role, finding, notes)
        except Exception as error:  # a rule's defect must deny this transfer, not stop every other decision
            tally.take(rule, role, _explain(error, rule, facts), notes)
        if notes:
            tally.computed.update(notes)
    if tally.outcome != "deny" and plan.rests_on_unconfirmed:
        tally.take(_USABLE, None, Review("RULE_UNCONFIRMED", Remedy("none")), {})


_USABLE = Rule(
    id="always.usable",
    citation="policy: fail closed",
    source="policy",
    confidence="H",
    basis="firm_policy",
    inputs=("date", "offering.regime"),
    check=lambda _facts: iter(()),
)
"""What the engine itself finds, before and after the rules."""


def _choose_regime(facts: Facts) -> Regime:
    try:
        regime_id = facts.part("offering").text("regime")
    except MissingFactError as error:
        raise InvalidFactsError(f"{error.path} is missing") from None
    regime = REGIMES.get(regime_id)
    if regime is None or not facts.law.knows(regime.since, regime.pending):
        raise InvalidFactsError("unknown regime at offering.regime")
    return regime


def _choose_action(facts: Facts) -> str:
    if not facts.has("action"):
        raise InvalidFactsError("action is missing")
    action = facts.text("action")
    if action not in ACTIONS:
        raise InvalidFactsError("unknown action at action")
    return action


def _may_acquire(regime: Regime, facts: Facts) -> bool:
    try:
        return regime.may_acquire(facts)
    except Exception:  # what cannot be found out, for want of a fact or by a rule's defect, allows nothing more
        return False


def _explain(error: Exception, rule: Rule, facts: Facts) -> Deny:
    """Return the reason of a check that could not be finished."""
    if isinstance(error, MissingFactError):
        return Deny("INPUT_MISSING", _remedy_missing(error.path, facts), {"field": error.path})
    return _fail(rule.id, type(error).__name__)


def _fail(rule_id: str, error: str) -> Deny:
    return Deny("RULE_FAILED", Remedy("none"), {"rule": rule_id, "error": error})


_REPRESENTED = (
    *("offshore", "regs_certified", "affiliate", "represent", "contrary_knowledge"),
    *("third_party_financed", "consent", "suitability_done", "knowledge_test_on", "sophisticated", "sg_opt_in"),
    *("principal", "family_relation", "first_time", "uk_statement", "is_fund", "own_owners", "cf_purchases"),
)
"""What the caller says of a party; anything else of a party comes from a credential."""


def _remedy_missing(path: str, facts: Facts) -> Remedy:
    purpose = facts.part("offering").text("regime")
    if not path.startswith(("buyer.", "seller.")) or ".lots" in path:
        return Remedy("none")
    said = any(word in path for word in _REPRESENTED)
    return Remedy("represent" if said else "present", purpose=purpose)


@dataclass(slots=True)
class _Tally:
    """Findings so far."""

    outcome: Outcome = "permit"
    reasons: dict[tuple[object, ...], Reason] = field(default_factory=dict)
    computed: dict[str, Value] = field(default_factory=dict)
    obligations: set[str] = field(default_factory=set)
    binding: set[str] = field(default_factory=set)
    bounds: list[int] = field(default_factory=list)
    least: int = 1
    route: str | None = None
    fewer_may_pass: bool = True

    def take(self, rule: Rule, party: str | None, finding: Finding, notes: dict[str, Value]) -> None:
        """Add one finding; ``notes`` gathers the values of the check that it comes from."""
        match finding:
            case Note(name, value):
                notes[name] = value
            case Through(route):
                self.route = notes["route"] = route
            case AtMost(quantity):
                self.bounds.append(quantity)
            case AtLeast(quantity):
                self.least = max(self.least, quantity)
            case Require(code, on_deny):
                (self.binding if on_deny else self.obligations).add(code)
            case Deny() | Review():
                self._add_reason(rule, party, finding, notes)

    def _add_reason(self, rule: Rule, party: str | None, finding: Deny | Review, notes: dict[str, Value]) -> None:
        if isinstance(finding, Deny):
            self.outcome = "deny"
            self.fewer_may_pass &= finding.smaller_may_pass
        elif self.outcome == "permit":
            self.outcome = "review"
        reason = _build_reason(rule, party, finding, notes)
        self.reasons.setdefault((reason.code, reason.party, reason.evidence.get("field")), reason)

    def conclude(self, law: Law) -> Evaluation:
        """Build the answer; obligations of a transfer that doesn't happen are left out, save those that bind anyway."""
        obligations = self.binding | self.obligations if self.outcome == "permit" else self.binding
        version, digest = _identify(law)
        return Evaluation(
            outcome=self.outcome,
            reasons=tuple(sorted(self.reasons.values(), key=_rank)),
            obligations=tuple([each for each in _OBLIGATIONS if each.code in obligations]) if obligations else (),
            route=self.route if self.outcome == "permit" else None,
            computed=self.computed,
            max_quantity=self._find_max_quantity(),
            rules_version=version,
            rules_sha256=digest,
        )

    def _find_max_quantity(self) -> int | None:
        may_pass = self.outcome == "permit" or (self.outcome == "deny" and self.fewer_may_pass and self.bounds)
        most = min(self.bounds, default=None) if may_pass else 0
        return most if most is None or most >= self.least else 0


@cache
def _identify(law: Law) -> tuple[str, str]:
    return law.name, digest_rules(law)


def _rank(reason: Reason) -> tuple[int, str, str]:
    return RANKS[reason.code], reason.party or "", str(reason.evidence.get("field", ""))


def _build_reason(rule: Rule, party: str | None, finding: Deny | Review, notes: dict[str, Value]) -> Reason:
    evidence, basis, message = dict(notes), rule.basis, MESSAGES[finding.code]
    if isinstance(finding, Deny):
        message = finding.message or message
        evidence.update(finding.evidence)
        basis = finding.basis or ("firm_policy" if finding.code in {"INPUT_MISSING", "RULE_FAILED"} else rule.basis)
    return Reason(
        code=finding.code,
        party=party or _find_party(finding.code, evidence),
        basis=basis,
        citation=rule.citation,
        message=message,
        evidence=evidence,
        remedy=finding.remedy,
    )


def _find_party(code: str, evidence: Mapping[str, Value]) -> str | None:
    """Name the party that a check of the whole transfer is about."""
    named = str(evidence.get("field", "")).partition(".")[0]
    if named in {"buyer", "seller"}:
        return named
    return ABOUT.get(code)
