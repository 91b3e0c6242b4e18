"""The words of a letter: what was verified, by whom, by which method and when; no advice and no opinion.

Sources: 17 CFR 230.506(c)(2)(ii)(A) to (E); SEC staff no-action letter to Latham & Watkins, 12 March 2025.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from service.issuer.offer_page import LANGUAGE_FILES
from service.rules.catalog import TESTS
from service.web.languages import RULE_NAMES, load_words

Words = Mapping[str, str]
"""Texts of a language: ``letter.<key>``, and ``rule.<id>`` for the names of tests."""
_RULE = "17 CFR 230.506(c)(2)(ii)"
METHODS: Mapping[str, str] = {
    "income_review": f"{_RULE}(A)",
    "net_worth_review": f"{_RULE}(B)",
    "third_party": f"{_RULE}(C)",
    "prior_verified": f"{_RULE}(E)",
    "min_investment": "SEC staff letter of 12 March 2025",
}
"""Claim ``method`` to where it stands."""
_CLAIMS = (
    "reviewed_by",
    "steps_completed_on",
    "oldest_document_on",
    "tax_years",
    "verified_on",
    "consumer_report",
    "liabilities_representation",
    "current_year_representation",
    "joint",
    "scope",
    "rules_version",
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something: a person with an account, or an API client, which has no name."""

    id: str
    name: str | None

    def write(self, words: Words) -> str:
        """Return the name with its id, or what has the id."""
        return words["letter.client"].format(id=self.id) if self.name is None else f"{self.name} ({self.id})"


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """The review behind a grant.

    Attributes:
        as_of: Civil date whose law the figures were held to.
        evidence: SHA-256 of the files of the case.
    """

    id: str
    as_of: date | None
    citation: str
    reviewed_by: Actor
    decided_by: Actor
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


@cache
def load_letter_words(language: str) -> Words:
    """Return the words of letters in a language, and the names of tests."""
    names = {f"rule.{rule_id}": name for rule_id, name in load_words(RULE_NAMES, language).items()}
    return {**load_words(LANGUAGE_FILES, language), **names}


def write_opening(facts: LetterFacts, words: Words) -> str:
    """Return the sentence that the rest of the letter is about."""
    category = str(facts.claims["category"])
    return words["letter.opening"].format(
        organization=facts.organization, category=category, title=_title(category, words)
    )


def write_closing(facts: LetterFacts, words: Words) -> Sequence[str]:
    """Return what the letter does not say, and how it is checked."""
    of_506c = ["letter.duty"] if facts.claims["jurisdiction"] == "US" else []
    return [words[key] for key in ("letter.limits", *of_506c, "letter.check")]


def write_sections(facts: LetterFacts, words: Words) -> Sequence[Section]:
    """Return the facts in groups, each a label and a text."""
    sections = [
        ("investor", _describe_investor(facts)),
        ("attester", _describe_attester(facts)),
        ("finding", _describe_finding(facts, words)),
        ("decision", _describe_decision(facts.case, words)),
        ("record", _describe_record(facts)),
    ]
    return [
        (words[f"letter.{title}"], [(words[f"letter.{label}"], text) for label, text in rows])
        for title, rows in sections
    ]


def _describe_investor(facts: LetterFacts) -> Sequence[tuple[str, str]]:
    reference = ("reference", facts.subject_ref)
    return [reference] if facts.name is None else [("name", facts.name), reference]


def _describe_attester(facts: LetterFacts) -> Sequence[tuple[str, str]]:
    register_id = facts.claims.get("attester_register_id")
    return [
        ("organization", facts.organization),
        ("identifier", facts.did),
        ("attester_class", str(facts.claims["attester_class"])),
        *([("register_id", str(register_id))] if register_id else []),
    ]


def _describe_finding(facts: LetterFacts, words: Words) -> Sequence[tuple[str, str]]:
    claims, category = facts.claims, str(facts.claims["category"])
    named = words["letter.category_is"].format(category=category, title=_title(category, words))
    rows = [("jurisdiction", str(claims["jurisdiction"])), ("category", named)]
    citation = facts.case.citation if facts.case else _citation(category)
    if citation:
        rows.append(("defined_in", citation))
    if "method" in claims:
        rows += _describe_method(str(claims["method"]), words)
    if facts.case and facts.case.as_of:
        rows.append(("as_of", facts.case.as_of.isoformat()))
    return rows + [(f"claim.{name}", _show(claims[name], words)) for name in _CLAIMS if name in claims]


def _describe_method(method: str, words: Words) -> Sequence[tuple[str, str]]:
    said = ("method", words.get(f"letter.method.{method}", method))
    return [said, ("method_in", METHODS[method])] if method in METHODS else [said]


def _describe_decision(case: CaseFacts | None, words: Words) -> Sequence[tuple[str, str]]:
    if case is None:
        return [("case", words["letter.no_case"])]
    return [
        ("case", case.id),
        ("reviewed", case.reviewed_by.write(words)),
        ("approved", case.decided_by.write(words)),
        ("approved_at", _show_instant(case.decided_at)),
        *(("evidence", digest) for digest in case.evidence),
    ]


def _describe_record(facts: LetterFacts) -> Sequence[tuple[str, str]]:
    return [
        ("credential", facts.credential_id),
        ("issued_at", _show_instant(facts.issued_at)),
        ("valid_until", _show_instant(facts.expires_at)),
        ("entry", facts.entry_id),
        ("commitment", facts.commitment),
        ("dated", _show_instant(facts.made_at)),
    ]


def _title(category: str, words: Words) -> str:
    return words.get(f"rule.{category}", words["letter.unknown_title"])


def _citation(category: str) -> str:
    return TESTS[category].citation if category in TESTS else ""


def _show(value: Any, words: Words) -> str:
    if isinstance(value, bool):
        return words["letter.yes" if value else "letter.no"]
    return words["letter.between"].join(map(str, value)) if isinstance(value, list) else str(value)


def _show_instant(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")
