"""Status of the credentials that a party's facts rest on.

Source: rules.yaml, actions.S0_always; FACTS.md, ``credential_status``.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from service.rules.decision import Remedy
from service.rules.facts import Facts, InvalidFactsError
from service.rules.rule import Deny, Finding, Rule

CODES: Mapping[str, str] = MappingProxyType(
    {
        "revoked": "CRED_REVOKED",
        "suspended": "CRED_SUSPENDED",
        "expired": "CRED_EXPIRED",
        "not_yet_valid": "CRED_NOT_YET_VALID",
        "issuer_untrusted": "CRED_ISSUER_UNTRUSTED",
        "issuer_out_of_scope": "CRED_ISSUER_OUT_OF_SCOPE",
        "holder_mismatch": "CRED_HOLDER_MISMATCH",
        "unknown": "CRED_STATUS_UNAVAILABLE",
    }
)
_RENEWABLE = frozenset({"expired", "revoked", "suspended"})


def _check_status(_role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    status = party.text("credential_status")
    if status == "valid":
        return
    if status not in CODES:
        raise InvalidFactsError(f"{party.path('credential_status')} is not a known status")
    yield Deny(CODES[status], _choose_remedy(status, facts))


def _choose_remedy(status: str, facts: Facts) -> Remedy:
    if status == "unknown":
        return Remedy("none")  # the list, not the holder, must come back
    return Remedy("renew" if status in _RENEWABLE else "present", purpose=facts.part("offering").text("regime"))


RULES = (
    Rule(
        id="always.credential_status",
        citation="policy: rely only on credentials that are authentic, trusted and current",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("*.credential_status",),
        idle_if=("*.credential_status", "valid"),
        check_party=_check_status,
    ),
)
