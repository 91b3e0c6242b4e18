"""What a platform must ask an investor for, so that a regime's rules can be evaluated.

Names, birthdate, address and identity numbers are never among it. Each need lists alternatives, best first: the claims
of a credential differ with its subject and its method, and one alternative is enough.

Source: api.md sections 3 and 4; design.md section 2.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class CredentialNeed:
    """One credential to ask for.

    Attributes:
        credential_type: Name of a credential type, such as ``kyc``.
        alternatives: Sets of claim names, best first; each is enough.
    """

    credential_type: str
    alternatives: tuple[tuple[str, ...], ...]

    @property
    def claims(self) -> tuple[str, ...]:
        """Every claim of any alternative, in order."""
        return tuple(dict.fromkeys(claim for claims in self.alternatives for claim in claims))


@dataclass(frozen=True, slots=True)
class Purpose:
    """A regime or action and the credentials that it asks a party for, exactly one of each."""

    id: str
    title: str
    needs: tuple[CredentialNeed, ...]


def _vary(base: str, *variants: str) -> tuple[tuple[str, ...], ...]:
    return tuple((*base.split(), *variant.split()) for variant in variants)


# A KYC says either age_over_18 (a person) or beneficial_owners_complete (an entity); a holder can't hide both. What
# would loosen a decision by its absence (pep, scope, ownership) is in every alternative for the same reason.
_KYC_VARIANTS = ("state age_over_18", "age_over_18", "state beneficial_owners_complete", "beneficial_owners_complete")
_KYC = CredentialNeed("kyc", _vary("sub country us_person loa", *_KYC_VARIANTS))
_KYC_OR_LESS = CredentialNeed("kyc", (*_KYC.alternatives, *_vary("sub country loa", *_KYC_VARIANTS)))
_AML = CredentialNeed("aml-screening", _vary("result screened_at pep", "lists edd_done", "edd_done", "lists", ""))
_QUALIFIED = CredentialNeed(
    "qualified-investor",
    _vary(
        "jurisdiction category attester_class scope",
        "method steps_completed_on",
        "method reviewed_by tax_years current_year_representation",
        "method reviewed_by oldest_document_on consumer_report liabilities_representation",
        "method tax_years current_year_representation",
        "method oldest_document_on consumer_report liabilities_representation",
        "method verified_on",
        "method",
        "",
    ),
)

PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {
        purpose.id: purpose
        for purpose in (
            Purpose("us.506c", "Regulation D, Rule 506(c)", (_KYC_OR_LESS, _AML, _QUALIFIED)),
            Purpose("us.reg_s", "Regulation S", (_KYC, _AML)),
            Purpose("redemption", "Redemption by the issuer", (_KYC_OR_LESS, _AML)),
        )
    }
)


def list_purposes() -> Iterable[Purpose]:
    """Return every purpose."""
    return PURPOSES.values()


def describe_purpose(purpose: Purpose) -> dict[str, Any]:
    """Return a purpose as JSON values."""
    return {
        "id": purpose.id,
        "title": purpose.title,
        "credentials": [
            {"credential_type": need.credential_type, "claims": list(need.claims)} for need in purpose.needs
        ],
    }
