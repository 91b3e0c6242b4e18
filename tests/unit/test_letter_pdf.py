"""The PDF of a letter: the same bytes each time, careful words, and nothing that hides."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from service.issuer.evidence_types import PDF, recognize
from service.issuer.letter_pdf import build_letter
from service.issuer.letter_words import METHODS, CaseFacts, LetterFacts, write_closing, write_opening, write_sections

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
FACTS = LetterFacts(
    organization="Example CPA",
    did="did:web:localhost%3A8000:issuers:kyc",
    credential_id="cred_1",
    subject_ref="investor-1",
    name="Ada Lovelace",
    claims={
        "jurisdiction": "US",
        "category": "us.ai.income",
        "method": "income_review",
        "attester_class": "us_cpa",
        "attester_register_id": "CPA-1",
        "tax_years": [2024, 2025],
        "joint": False,
        "steps_completed_on": "2026-11-20",
    },
    issued_at=AT,
    expires_at=AT + timedelta(days=90),
    entry_id="aud_1",
    commitment="ab" * 32,
    case=CaseFacts("case_1", date(2026, 11, 23), "17 CFR 230.501(a)(6)", "API client a", "Bo (acc_1)", AT, ["cd" * 32]),
    made_at=AT,
)


def rows(facts: LetterFacts) -> dict[str, str]:
    return {label: text for _, section in write_sections(facts) for label, text in section}


def test_the_same_facts_give_the_same_bytes() -> None:
    first = build_letter(FACTS)
    assert recognize(first) == PDF
    assert build_letter(FACTS) == first
    assert build_letter(replace(FACTS, subject_ref="investor-2")) != first


def test_what_a_letter_names() -> None:
    named = rows(FACTS)
    assert named["Method stands in"] == "17 CFR 230.506(c)(2)(ii)(A)"
    assert named["Category"] == "us.ai.income: Accredited investor: income"
    assert named["Defined in"] == "17 CFR 230.501(a)(6)"
    assert named["Register number"] == "CPA-1"
    assert named["Tax years reviewed"] == "2024, 2025"
    assert named["Together with a spouse"] == "no"
    assert named["Approved by"] == "Bo (acc_1)"
    assert named["Commitment of the entry"] == "ab" * 32
    assert named["Evidence, SHA-256"] == "cd" * 32


def test_a_grant_without_a_case_or_a_name_says_so() -> None:
    named = rows(replace(FACTS, case=None, name=None))
    assert named["Case"].startswith("None:")
    assert "Name" not in named
    assert named["Defined in"] == "17 CFR 230.501(a)(6)"


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_letter_gives_advice(method: str) -> None:
    facts = replace(FACTS, claims={**FACTS.claims, "method": method})
    words = " ".join([write_opening(facts), *write_closing(facts)]).lower()
    assert "no legal, tax or investment advice" in words
    assert not {"guarantee", "certify", "approved", "recommend", "complies"} & set(words.split())


def test_only_letters_of_the_united_states_speak_of_rule_506() -> None:
    abroad = replace(FACTS, claims={"jurisdiction": "SG", "category": "sg.accredited", "attester_class": "sg_bank"})
    assert "506" not in " ".join(write_closing(abroad))
    assert "506" in " ".join(write_closing(FACTS))
    assert recognize(build_letter(abroad)) == PDF


def test_names_that_the_font_lacks_or_that_hide_are_written_as_code_points() -> None:
    hostile = replace(
        FACTS, name="\u5f20\u4f1f \u202egnp.exe\u200b\x07 (Ada) \\ \ud83d", organization="Caf\u00e9 \u20ac"
    )
    assert recognize(build_letter(hostile)) == PDF
    assert build_letter(hostile) != build_letter(FACTS)


def test_a_long_name_fills_lines_and_pages() -> None:
    assert recognize(build_letter(replace(FACTS, name="n" * 9_000))) == PDF
