"""What a platform must ask an investor for, so that a regime's or an action's rules can be evaluated.

Source: api.md section 4, ``purpose``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from service.rules.catalog import REGIMES
from service.rules.law import CURRENT_LAW, Law
from service.rules.needs import EVERYBODY, CredentialNeed
from service.rules.rule import ACTIONS


@dataclass(frozen=True, slots=True)
class Purpose:
    """A regime or action and the credentials that it asks a party for, at most one of each."""

    id: str
    title: str
    needs: tuple[CredentialNeed, ...]


_OWN_REGIME = {"primary", "secondary", "liquidation", "gift"}
"""Actions whose purpose is the regime of the offering."""
PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {
        **{regime.id: Purpose(regime.id, regime.title, regime.needs) for regime in REGIMES.values()},
        **{action: Purpose(action, action.capitalize(), EVERYBODY) for action in ACTIONS if action not in _OWN_REGIME},
    }
)


def list_purposes(law: Law = CURRENT_LAW) -> Iterable[Purpose]:
    """Return every purpose that a version of the rules knows."""
    unknown = {each.id for each in REGIMES.values() if not law.knows(each.since, each.pending)}
    return [purpose for purpose in PURPOSES.values() if purpose.id not in unknown]


def describe_purpose(purpose: Purpose) -> dict[str, Any]:
    """Return a purpose as JSON values."""
    return {
        "id": purpose.id,
        "title": purpose.title,
        "credentials": [
            {"credential_type": need.credential_type, "claims": list(need.claims), "required": need.required}
            for need in purpose.needs
        ],
    }
