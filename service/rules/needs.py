"""Which credentials and claims a regime has to ask an investor for.

Names, birthdate, address and identity numbers are never among them. Each need lists alternatives, best first: the
claims of a credential differ with its subject and its method, and one alternative is enough.

Source: api.md sections 3 and 4; design.md section 2.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class CredentialNeed:
    """One credential to ask for.

    Attributes:
        credential_type: Name of a credential type, such as ``kyc``.
        alternatives: Sets of claim names, best first; each is enough.
        required: Without it the purpose cannot be served; one that is not required may open a way, or widen one.
    """

    credential_type: str
    alternatives: tuple[tuple[str, ...], ...]
    required: bool = True

    @property
    def claims(self) -> tuple[str, ...]:
        """Every claim of any alternative, in order."""
        return tuple(dict.fromkeys(claim for claims in self.alternatives for claim in claims))


def ask_if_held(need: CredentialNeed) -> CredentialNeed:
    """Return a need that is not required."""
    return replace(need, required=False)


def vary(base: str, *variants: str) -> tuple[tuple[str, ...], ...]:
    """Return the alternatives of a base set of claims, each with one variant; names are separated by spaces."""
    return tuple((*base.split(), *variant.split()) for variant in variants)


# A KYC says either age_over_18 (a person) or beneficial_owners_complete (an entity); a holder can't hide both. What
# would loosen a decision by its absence (pep, scope, ownership) is in every alternative for the same reason.
_KYC_VARIANTS = ("state age_over_18", "age_over_18", "state beneficial_owners_complete", "beneficial_owners_complete")
KYC_US_PERSON = CredentialNeed("kyc", vary("sub country us_person loa", *_KYC_VARIANTS))
KYC = CredentialNeed("kyc", (*KYC_US_PERSON.alternatives, *vary("sub country loa", *_KYC_VARIANTS)))
AML = CredentialNeed("aml-screening", vary("result screened_at pep", "lists edd_done", "edd_done", "lists", ""))
QUALIFIED_506C = CredentialNeed(
    "qualified-investor",
    vary(
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
QUALIFIED = CredentialNeed(
    "qualified-investor",
    vary("jurisdiction category attester_class scope", "verified_on", "oldest_document_on", ""),
)
INVESTMENT_LIMIT = CredentialNeed("investment-limit", vary("regime limit_at_least currency as_of", ""))
EVERYBODY = (KYC, AML)
"""What identity and sanctions checks ask of every party of every action."""
