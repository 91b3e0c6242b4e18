"""One rule: its legal data, what it reads, and a generator that yields what it finds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from service.rules.decision import Basis, Remedy, Value
from service.rules.facts import Facts
from service.rules.law import FIRST_VERSION, Law, Schedule
from service.rules.needs import CredentialNeed

ACTIONS = (
    *("primary", "secondary", "liquidation", "gift", "pledge", "release", "redemption"),
    *("forced", "inheritance", "recovery", "distribution", "conversion"),
)
Source = Literal["primary", "secondary", "recall", "policy"]
Confidence = Literal["H", "M", "L"]
SALES = frozenset({"primary", "secondary", "liquidation", "gift"})
"""Actions by which a new holder acquires of the parties' own will."""
RESALES = frozenset({"secondary", "liquidation", "gift"})
UNWILLED = frozenset({"forced", "inheritance", "recovery"})
"""Actions on a document instead of the transferor's will."""


def is_unwilling(role: str, action: str) -> bool:
    """Tell whether a party did not act: the transferor under a document, a pledgor in default, who gets a distribution.

    Of the checks of identity, only sanctions bind such a party: its lapsed KYC must not stop what is another's right.
    """
    return role == "pledgor" or (role == "seller" and action in UNWILLED) or action == "distribution"


@dataclass(frozen=True, slots=True)
class Deny:
    """A check failed.

    Attributes:
        basis: Overrides the rule's basis where this failure is policy though the rule is law, or the other way.
        smaller_may_pass: The same transfer of fewer units would not fail here.
        message: Says what the code's own sentence doesn't, where a code stands for more than one failure.
    """

    code: str
    remedy: Remedy | None = None
    evidence: Mapping[str, Value] = field(default_factory=dict)
    basis: Basis | None = None
    smaller_may_pass: bool = False
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A check that a person must decide."""

    code: str
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """An intermediate value, kept as evidence of the decision and of the rule's own reasons."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Require:
    """An obligation; ``on_deny`` for the few that bind though the transfer does not happen."""

    code: str
    on_deny: bool = False


@dataclass(frozen=True, slots=True)
class Through:
    """The exemption that carries the transfer."""

    route: str


@dataclass(frozen=True, slots=True)
class AtMost:
    """The largest quantity that this rule lets pass now."""

    quantity: int


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The smallest quantity that this rule lets pass."""

    quantity: int


Finding = Deny | Review | Note | Require | Through | AtMost | AtLeast
TransferCheck = Callable[[Facts], Iterator[Finding]]
PartyCheck = Callable[[str, Facts, Facts], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check with its legal data.

    Attributes:
        id: Stable, dotted.
        citation: What a reason of this rule cites.
        source: Where the text was read: ``primary``, ``secondary``, ``recall`` or ``policy``.
        confidence: H, M or L; a row of confidence L never permits alone.
        basis: Who asks for it.
        inputs: Paths that it may read.
        effective_from: First day on which the text applies, None for a policy without a date; outside its days the
            rule is not run.
        effective_to: Last such day; None while in force.
        since: Version of the rule set that brought the rule.
        pending: Id of the pending law that it belongs to.
        parameters: Thresholds, for the listing and the digest of the rule set.
        actions: Actions that it applies to.
        idle_if: A fact, such as ``*.frozen``, and its value with which the check finds nothing; it isn't run then.
        check: The generator, called once with the transfer's facts; or
        check_party: the generator, called once per party with (role, party's facts, transfer's facts).
        binds_unwilling: Whether a party check binds a party that did not act, see ``is_unwilling``.
        unless_eligible: Whether what the rule denies is open to a taker whom the regime lets buy.
    """

    id: str
    citation: str
    source: Source
    confidence: Confidence
    basis: Basis
    inputs: tuple[str, ...]
    actions: frozenset[str] = frozenset(ACTIONS)
    idle_if: tuple[str, object] | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    since: str = FIRST_VERSION
    pending: str | None = None
    parameters: Mapping[str, str | Schedule[Any]] = field(default_factory=dict)
    check: TransferCheck | None = None
    check_party: PartyCheck | None = None
    binds_unwilling: bool = False
    unless_eligible: bool = False

    def is_in_force(self, day: date) -> bool:
        """Tell whether the rule's text applies on ``day``."""
        return _covers(self, day)

    def is_known(self, law: Law) -> bool:
        """Tell whether the rule belongs to the law that is applied."""
        return law.knows(self.since, self.pending)


@dataclass(frozen=True, slots=True)
class Counting:
    """How a register counts sales and offers for a regime's limits.

    Attributes:
        together_with: Regimes whose sales by the same issuer use up the same cap.
        offeree_months: Months over which ``state.offerees`` looks back; None for the whole offering.
        leaves_out: Fact of a buyer whom counts of persons leave out, such as ``eu_qi``.
        leaves_out_amounts: What such a buyer pays uses up nothing of a cap either.
    """

    together_with: tuple[str, ...] = ()
    offeree_months: int | None = None
    leaves_out: str | None = None
    leaves_out_amounts: bool = False


COUNTS_ALONE = Counting()


@dataclass(frozen=True, slots=True)
class Regime:
    """An exemption or registration under which lots are sold: one file of ``packs``.

    Attributes:
        id: Public id, such as ``us.506c``; its first part names the jurisdiction, whose zone counts days.
        confidence: H, M or L; what a regime of confidence L would permit goes to review.
        rules: Its rules for sales and resales; what is not a sale needs no exemption.
        may_acquire: Whether the taker of a transfer that nobody willed could have bought; if not, or if that is
            unknown, the lot is tagged hold only.
        needs: Credentials that a presentation for this regime is asked for.
        asks_category: Beginning of the qualified-investor category without which nobody may buy, such as ``us.ai.``.
        asks_on: Actions for which the buyer's credential of that category must be good.
        counting: What a register must know to count for it.
        effective_from, effective_to: Days between which the regime can be used; outside them it denies.
    """

    id: str
    title: str
    citation: str
    source: Source
    confidence: Confidence
    rules: tuple[Rule, ...]
    may_acquire: Callable[[Facts], bool]
    needs: tuple[CredentialNeed, ...]
    asks_category: str | None = None
    asks_on: frozenset[str] = frozenset({"primary"})
    counting: Counting = COUNTS_ALONE
    effective_from: date | None = None
    effective_to: date | None = None
    since: str = FIRST_VERSION
    pending: str | None = None

    def is_in_force(self, day: date) -> bool:
        """Tell whether the regime can be used on ``day``."""
        return _covers(self, day)


def _covers(text: Rule | Regime, day: date) -> bool:
    return not ((text.effective_from and day < text.effective_from) or (text.effective_to and day > text.effective_to))
