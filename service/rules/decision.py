"""What an evaluation answers with: frozen values, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

Outcome = Literal["permit", "deny", "review"]
Basis = Literal["law", "issuer_policy", "firm_policy"]
RemedyKind = Literal["present", "renew", "represent", "wait_until", "none"]
Value = str | int | Decimal | date | bool | None


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would turn a reason away.

    Attributes:
        kind: ``none`` where nothing the parties do helps, or where naming it would tell too much.
        at: First day on which a ``wait_until`` has been waited for.
        purpose: Presentation purpose that asks for what is missing, such as ``us.506c``.
    """

    kind: RemedyKind
    at: date | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One failed check.

    Attributes:
        code: Stable code of :mod:`service.rules.codes`.
        party: ``buyer``, ``seller``, or None where the reason is about the security or the trade.
        basis: Whether law or somebody's policy asks for it.
        citation: The rule text that it rests on.
        evidence: The values that decided, under the scenario format's names.
    """

    code: str
    party: str | None
    basis: Basis
    citation: str
    message: str
    evidence: Mapping[str, Value] = field(default_factory=dict)
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Obligation:
    """What must be done with a permitted, or blocked, transfer."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer of the rules to one transfer.

    Attributes:
        outcome: ``permit`` has no reasons; ``deny`` and ``review`` have at least one.
        reasons: Every failed check, most fundamental first.
        obligations: In the order of their codes.
        route: Exemption that carries a permitted resale: ``rule144``, ``4a7``, ``144A`` or ``reg_s_904``.
        computed: Intermediate values by name, kept as evidence.
        max_quantity: Largest quantity that the same facts permit now; 0 if none, None if the rules set no bound.
        rules_version: Version of the rule set that decided.
        rules_sha256: Hex digest over the declared data of that rule set.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...]
    route: str | None
    computed: Mapping[str, Value]
    max_quantity: int | None
    rules_version: str
    rules_sha256: str
