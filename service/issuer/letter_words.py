"""The words of a letter: what was verified, by whom, by which method and when; no advice and no opinion.

Sources: 17 CFR 230.506(c)(2)(ii)(A) to (E); SEC staff no-action letter to Latham & Watkins, 12 March 2025.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from service.rules.catalog import TESTS

_RULE = "17 CFR 230.506(c)(2)(ii)"
METHODS: Mapping[str, tuple[str, str]] = {
    "income_review": ("Review of tax forms that report income, with a written representation", f"{_RULE}(A)"),
    "net_worth_review": ("Review of assets and liabilities, with a written representation", f"{_RULE}(B)"),
    "third_party": ("Written confirmation of a qualified third party", f"{_RULE}(C)"),
    "prior_verified": ("Earlier verification, with a written representation", f"{_RULE}(E)"),
    "min_investment": ("High minimum investment, with written representations", "SEC staff letter of 12 March 2025"),
}
"""Claim ``method`` to what it means and where it stands."""

_LABELS = {
    "reviewed_by": "Reviewed by, as stated",
    "steps_completed_on": "Steps completed on",
    "oldest_document_on": "Oldest document of",
    "tax_years": "Tax years reviewed",
    "verified_on": "Earlier verification of",
    "consumer_report": "Consumer report consulted",
    "liabilities_representation": "Representation on liabilities",
    "current_year_representation": "Representation on the current year",
    "joint": "Together with a spouse",
    "scope": "Good for",
    "rules_version": "Rules version",
}


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """The review behind a grant.

    Attributes:
        as_of: Civil date whose law the figures were held to.
        reviewed_by, decided_by: Who; a name with its id, or the id of an API client.
        evidence: SHA-256 of the files of the case.
    """

    id: str
    as_of: date | None
    citation: str
    reviewed_by: str
    decided_by: str
    decided_at: datetime
    evidence: Sequence[str]


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """Everything that a letter says.

    Attributes:
        name: On the KYC credential that the same organisation granted; None if it granted none.
        claims: Of the credential.
        entry_id, commitment: Of the audit entry about the signed copies; hex.
        case: None where the credential was offered without one.
    """

    organization: str
    did: str
    credential_id: str
    subject_ref: str
    name: str | None
    claims: Mapping[str, Any]
    issued_at: datetime
    expires_at: datetime
    entry_id: str
    commitment: str
    case: CaseFacts | None
    made_at: datetime


Section = tuple[str, Sequence[tuple[str, str]]]


def write_opening(facts: LetterFacts) -> str:
    """Return the sentence that the rest of the letter is about."""
    category = str(facts.claims["category"])
    return (
        f"{facts.organization} states that it took the steps below and, on what it reviewed, found that the investor "
        f"was within the category {category} ({_title(category)}) on the dates named below."
    )


def write_closing(facts: LetterFacts) -> Sequence[str]:
    """Return what the letter does not say, and how it is checked."""
    limits = (
        "This letter states what was verified, by whom, by which method and when. It is no legal, tax or investment "
        "advice and no opinion on any offering, issuer or exemption. The investor's circumstances, and the status of "
        "the credential, may have changed since."
    )
    duty = (
        "Whether the steps were reasonable for a sale under Rule 506(c) is for the issuer of that offering to decide "
        "(17 CFR 230.506(c)(2))."
    )
    check = (
        "The SHA-256 digest of this file is recorded in the organisation's audit log. The deployment that made it "
        "checks the file with: python -m service letters verify FILE"
    )
    return [limits, duty, check] if facts.claims["jurisdiction"] == "US" else [limits, check]


def write_sections(facts: LetterFacts) -> Sequence[Section]:
    """Return the facts in groups, each a label and a text."""
    return [
        ("Investor", _describe_investor(facts)),
        ("Verified by", _describe_attester(facts)),
        ("What was verified", _describe_finding(facts)),
        ("Decision", _describe_decision(facts.case)),
        ("Credential and record", _describe_record(facts)),
    ]


def _describe_investor(facts: LetterFacts) -> Sequence[tuple[str, str]]:
    reference = ("Reference at the verifier", facts.subject_ref)
    return [reference] if facts.name is None else [("Name", facts.name), reference]


def _describe_attester(facts: LetterFacts) -> Sequence[tuple[str, str]]:
    register_id = facts.claims.get("attester_register_id")
    return [
        ("Organisation", facts.organization),
        ("Identifier", facts.did),
        ("Class of attester", str(facts.claims["attester_class"])),
        *([("Register number", str(register_id))] if register_id else []),
    ]


def _describe_finding(facts: LetterFacts) -> Sequence[tuple[str, str]]:
    claims, category = facts.claims, str(facts.claims["category"])
    rows = [("Jurisdiction", str(claims["jurisdiction"])), ("Category", f"{category}: {_title(category)}")]
    citation = facts.case.citation if facts.case else _citation(category)
    if citation:
        rows.append(("Defined in", citation))
    if "method" in claims:
        words, source = METHODS.get(claims["method"], (str(claims["method"]), ""))
        rows += [("Method", words), *([("Method stands in", source)] if source else [])]
    if facts.case and facts.case.as_of:
        rows.append(("As of", facts.case.as_of.isoformat()))
    return rows + [(label, _show(claims[name])) for name, label in _LABELS.items() if name in claims]


def _describe_decision(case: CaseFacts | None) -> Sequence[tuple[str, str]]:
    if case is None:
        return [("Case", "None: the credential was offered directly.")]
    return [
        ("Case", case.id),
        ("Reviewed by", case.reviewed_by),
        ("Approved by", case.decided_by),
        ("Approved at", _show_instant(case.decided_at)),
        *(("Evidence, SHA-256", digest) for digest in case.evidence),
    ]


def _describe_record(facts: LetterFacts) -> Sequence[tuple[str, str]]:
    return [
        ("Credential", facts.credential_id),
        ("Issued at", _show_instant(facts.issued_at)),
        ("Valid until", _show_instant(facts.expires_at)),
        ("Audit entry", facts.entry_id),
        ("Commitment of the entry", facts.commitment),
        ("Date of this letter", _show_instant(facts.made_at)),
    ]


def _title(category: str) -> str:
    return TESTS[category].title if category in TESTS else "see the rules of the jurisdiction"


def _citation(category: str) -> str:
    return TESTS[category].citation if category in TESTS else ""


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _show_instant(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")
