"""The PDF of a letter: the same bytes each time, careful words, and nothing that hides."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from service.issuer.evidence_types import PDF, recognize
from service.issuer.letter_pdf import LetterLanguageError, build_letter
from service.issuer.letter_words import (
    METHODS,
    Actor,
    CaseFacts,
    LetterFacts,
    load_letter_words,
    write_closing,
    write_opening,
    write_sections,
)
from tests.letter_support import find_chinese_font, read_mapped_text

WORDS = load_letter_words("en")
CHINESE = load_letter_words("zh")
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
    case=CaseFacts(
        "case_1",
        date(2026, 11, 23),
        "17 CFR 230.501(a)(6)",
        Actor("a", None),
        Actor("acc_1", "Bo"),
        AT,
        ["cd" * 32],
    ),
    made_at=AT,
)


def rows(facts: LetterFacts) -> dict[str, str]:
    return {label: text for _, section in write_sections(facts, WORDS) for label, text in section}


def test_the_same_facts_give_the_same_bytes() -> None:
    first = build_letter(FACTS, WORDS)
    assert recognize(first) == PDF
    assert build_letter(FACTS, WORDS) == first
    assert build_letter(replace(FACTS, subject_ref="investor-2"), WORDS) != first


def test_what_a_letter_names() -> None:
    named = rows(FACTS)
    assert named["Method stands in"] == "17 CFR 230.506(c)(2)(ii)(A)"
    assert named["Category"] == "us.ai.income: Accredited investor: income"
    assert named["Defined in"] == "17 CFR 230.501(a)(6)"
    assert named["Register number"] == "CPA-1"
    assert named["Tax years reviewed"] == "2024, 2025"
    assert named["Together with a spouse"] == "no"
    assert named["Reviewed by"] == "API client a"
    assert named["Approved by"] == "Bo (acc_1)"
    assert named["Commitment of the entry"] == "ab" * 32
    assert named["Evidence, SHA-256"] == "cd" * 32


def test_a_grant_without_a_case_or_a_name_says_so() -> None:
    named = rows(replace(FACTS, case=None, name=None))
    assert named["Case"].startswith("None:")
    assert "Name" not in named
    assert named["Defined in"] == "17 CFR 230.501(a)(6)"


def test_what_a_chinese_letter_names() -> None:
    named = {label: text for _, section in write_sections(FACTS, CHINESE) for label, text in section}
    assert named["类别"] == "us.ai.income：合格投资者：收入"
    assert named["审核人"] == "接口程序 a"
    assert named["审阅的税务年度"] == "2024、2025"
    assert named["与配偶合并计算"] == "否"
    assert named["核实方法"] == "审阅申报收入的税表，并取得书面声明"
    assert "不构成法律、税务或投资意见" in " ".join(write_closing(FACTS, CHINESE))
    assert len(named) == len(rows(FACTS))


@pytest.fixture(scope="module")
def font() -> Path:
    return find_chinese_font()


def test_a_chinese_letter_embeds_the_letters_that_it_uses(font: Path) -> None:
    named = replace(FACTS, name="\u5f20\u4f1f \u202e(Ada) \U00010400", organization="\u534e\u4fe1")
    pdf = build_letter(named, CHINESE, tag="zh-Hans", font=font)
    assert recognize(pdf) == PDF
    assert build_letter(named, CHINESE, tag="zh-Hans", font=font) == pdf
    assert len(pdf) < 200_000 < font.stat().st_size
    assert b"/Lang (zh-Hans)" in pdf
    shown = read_mapped_text(pdf)
    for text in (
        "投资者资格证明函",
        "姓名或名称",
        "张伟 [U+202E](Ada)",
        "华信声明：本机构",
        "第1页",
        "17 CFR 230.501(a)(6)",
    ):
        assert text in shown, text


def test_a_chinese_name_stands_in_an_english_letter_where_there_is_a_font(font: Path) -> None:
    named = replace(FACTS, name="\u5f20\u4f1f")
    assert "张伟" in read_mapped_text(build_letter(named, WORDS, font=font))
    assert build_letter(FACTS, WORDS, font=font) == build_letter(FACTS, WORDS)


def test_a_language_without_its_font_is_refused() -> None:
    for lacking in (None, Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")):
        if lacking is None or lacking.exists():
            with pytest.raises(LetterLanguageError):
                build_letter(FACTS, CHINESE, font=lacking)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_letter_gives_advice(method: str) -> None:
    facts = replace(FACTS, claims={**FACTS.claims, "method": method})
    words = " ".join([write_opening(facts, WORDS), *write_closing(facts, WORDS)]).lower()
    assert "no legal, tax or investment advice" in words
    assert not {"guarantee", "certify", "approved", "recommend", "complies"} & set(words.split())


def test_only_letters_of_the_united_states_speak_of_rule_506() -> None:
    abroad = replace(FACTS, claims={"jurisdiction": "SG", "category": "sg.accredited", "attester_class": "sg_bank"})
    assert "506" not in " ".join(write_closing(abroad, WORDS))
    assert "506" in " ".join(write_closing(FACTS, WORDS))
    assert recognize(build_letter(abroad, WORDS)) == PDF


def test_names_that_the_font_lacks_or_that_hide_are_written_as_code_points() -> None:
    hostile = replace(
        FACTS, name="\u5f20\u4f1f \u202egnp.exe\u200b\x07 (Ada) \\ \ud83d", organization="Caf\u00e9 \u20ac"
    )
    assert recognize(build_letter(hostile, WORDS)) == PDF
    assert build_letter(hostile, WORDS) != build_letter(FACTS, WORDS)


def test_a_long_name_fills_lines_and_pages() -> None:
    assert recognize(build_letter(replace(FACTS, name="n" * 9_000), WORDS)) == PDF
