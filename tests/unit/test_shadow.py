"""``shadow``: past trades are read strictly, judged by the law of their date, and compared with what happened."""

import csv
import io
import json
import re
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service.cli.main import app
from service.cli.shadow_comparison import Answer, classify, compare
from service.cli.shadow_trades import Trade

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "samples" / "past-trades.csv"
GUIDE = ROOT / "docs" / "shadow.md"


def shadow(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["shadow", *map(str, arguments)])


def compared(*arguments: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(shadow(*arguments, "--json").stdout)
    return document


def write(folder: Path, *rows: dict[str, str]) -> Path:
    """Write rows over a trade that is settled and permitted with the scenario format's defaults."""
    base = {
        "trade_date": "2026-06-01",
        "action": "primary",
        "regime": "us.registered",
        "quantity": "10",
        "price": "1",
        "outcome": "settled",
        "buyer": "b",
        "buyer.kyc_loa": "high",
        "buyer.kyc_valid_until": "2027-01-01",
        "buyer.country": "US",
        "buyer.sanctions": "clear",
        "buyer.screen_age_hours": "1",
        "buyer.us_person": "true",
    }
    names = list(dict.fromkeys([*base, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows({**base, **row} for row in rows or ({},))
    file = folder / "trades.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


def test_the_guide_shows_what_the_sample_gives() -> None:
    block = re.search(
        r"```console\n\$ goodstanding shadow (.*?)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert block
    arguments = shlex.split(block[1].replace("docs/samples/past-trades.csv", str(SAMPLE)).split(" --report")[0])
    result = shadow(*arguments)
    assert result.exit_code == 1
    assert re.sub(r" \([\d,]+ trades/s\)", "", result.stdout) == block[2]


def test_the_sample_agrees_and_differs_with_citations() -> None:
    told = compared(SAMPLE, "--defaults", "scenario")
    assert (told["trades"], told["agreed"], told["disagreed"], told["for_review"], told["unjudged"]) == (8, 2, 3, 1, 2)
    assert told["matrix"] == {
        "settled": {"permit": 1, "deny": 2, "review": 0, "unjudged": 1},
        "rejected": {"permit": 1, "deny": 1, "review": 1, "unjudged": 1},
    }
    groups = {(group["kind"], group["code"]): group for group in told["groups"]}
    stale = groups["settled_denied", "US_506C_VERIFICATION_STALE"]
    assert (stale["basis"], stale["citation"]) == ("firm_policy", "17 CFR 230.506(c)(2)(ii)(C)")
    assert (stale["rows"], stale["example"]["evidence"]) == ([3], {"last_valid": "2026-06-30"})
    assert groups["rejected_permitted", None]["message"] == "No restriction found under us.506c, through rule144."
    assert groups["both_denied", "US_NOT_ACCREDITED"]["rows"] == [5]


def test_nothing_is_assumed_unless_told(tmp_path: Path) -> None:
    file = write(tmp_path)
    plain = compared(file)
    assert (plain["unjudged"], plain["defaults"]) == (1, "none")
    assert {group["code"] for group in plain["groups"]} == {"INPUT_MISSING"}
    assert shadow(file, "--defaults", "scenario").exit_code == 0
    assert "Assumed where the file is silent" in shadow(file, "--defaults", "scenario").stdout
    assert "Nothing was assumed" in shadow(file).stdout


def test_facts_of_every_row_yield_to_a_rows_own(tmp_path: Path) -> None:
    file = write(tmp_path, {}, {"policy.max_screen_age_hours": "48"}, {"policy.max_screen_age_hours": ""})
    defaults = ("--defaults", "scenario", "--fact", "buyer.screen_age_hours=30", "--fact", "offering.state=closed")
    told = compared(file, *defaults)
    assert told["assumed"] == {"buyer.screen_age_hours": "30", "offering.state": "closed"}
    assert [group["code"] for group in told["groups"]] == ["OFFERING_CLOSED"]  # its own screening is an hour old
    assert "offering.state = closed" in shadow(file, *defaults).stdout


def test_old_trades_are_judged_by_the_law_of_their_date(tmp_path: Path) -> None:
    old, new = {"trade_date": "2018-05-23"}, {"trade_date": "2018-05-24"}
    fund = {"offering.ica": "3c1_qvcf", "state.beneficial_owners": "100", "buyer.kyc_valid_until": "2019-01-01"}
    told = compared(write(tmp_path, fund | old, fund | new), "--defaults", "scenario")
    assert [(group["code"], group["rows"]) for group in told["groups"]] == [("US_3C1_LIMIT", [2]), (None, [3])]
    more = fund | new | {"state.beneficial_owners": "300"}
    assert compared(write(tmp_path, more), "--defaults", "scenario")["disagreed"] == 1
    assumed = ("--defaults", "scenario", "--rules-version", "2026.11.1+LW-US-INVEST")
    assert compared(write(tmp_path, more), *assumed)["agreed"] == 1


def test_lists_and_words_of_spreadsheets_are_read(tmp_path: Path) -> None:
    lots = '[{"qty": 10, "acquired_on": "2025-01-01", "from_": "issuer"}]'
    row = {
        "action": "secondary",
        "seller": "s",
        "seller.affiliate": "FALSE",
        "seller.lots": lots,
        "offering.ica": "null",
    }
    seller = {name.replace("buyer", "seller"): value for name, value in {
        "buyer.kyc_loa": "high", "buyer.kyc_valid_until": "2027-01-01", "buyer.sanctions": "clear",
        "buyer.screen_age_hours": "1", "buyer.us_person": "true", "buyer.country": "US"}.items()}  # fmt: skip
    file = write(tmp_path, row | seller)
    file.write_text("\ufeff" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert shadow(file, "--defaults", "scenario").exit_code == 0


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"buyer.acredited": "true"}, "column 'buyer.acredited' is neither of a trade nor the path of a fact"),
        ({"buyer.verification": "x"}, "column buyer.verification holds facts of its own: name one of them, as "),
        ({"qty": "1"}, "column qty is called quantity here"),
        ({"offering.regime": "us.506c"}, "column offering.regime is called regime here"),
        ({"buyer.accredited": "yes"}, "row 2, column buyer.accredited: true or false is needed"),
        ({"trade_date": "1/6/2026"}, "row 2, column trade_date: a civil date YYYY-MM-DD is needed"),
        ({"quantity": "10.5"}, "row 2, column quantity: a positive whole number is needed"),
        ({"quantity": "1e3"}, "row 2, column quantity: an exact decimal number is needed"),
        ({"outcome": "cancelled"}, "row 2, column outcome: one of settled, rejected is needed"),
        ({"outcome": ""}, "row 2, column outcome: a value is needed"),
        ({"regime": "us.506x"}, "row 2, column regime: one of "),
        ({"action": "null"}, "row 2, column action: a value is needed"),
        ({"seller.lots": "ten"}, "row 2, column seller.lots: a JSON list is needed"),
        ({"seller.lots": '[{"qty": 1.5}]'}, "row 2, column seller.lots[0].qty: a positive whole number is needed"),
        ({"seller.lots": '[{"q": 1}]'}, "row 2, column seller.lots[0].q: unknown field"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, row: dict[str, str], expected: str) -> None:
    result = shadow(write(tmp_path, row))
    assert result.exit_code == 2
    assert result.stderr.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "column trade_date is missing"),
        ("trade_date;action\n", "column trade_date is missing (columns are separated by commas)"),
        ("trade_date,action,regime,quantity,outcome,outcome\n", "column 'outcome' occurs twice"),
        ("trade_date,action,regime,quantity,outcome\n1,2\n", "row 2: 2 cells under 5 columns"),
        ('trade_date,action,regime,quantity,outcome\n"1\n', "not a readable CSV file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(text)
    result = shadow(file)
    assert result.exit_code == 2
    assert result.stderr.startswith(expected)


def test_other_reasons_not_to_run(tmp_path: Path) -> None:
    file = write(tmp_path)
    assert shadow(tmp_path / "none.csv").exit_code == 2
    assert shadow(file, "--rules-version", "1").exit_code == 2
    assert shadow(file, "--fact", "price=3").stderr == "price belongs to a trade and cannot be assumed\n"
    assert shadow(file, "--fact", "venue.licensed").stderr == "--fact venue.licensed: PATH=VALUE is needed\n"
    assert shadow(file, "--platform", "p", "--defaults", "scenario").exit_code == 2
    (tmp_path / "latin.csv").write_bytes(b"\xff")
    assert shadow(tmp_path / "latin.csv").exit_code == 2


@pytest.mark.parametrize(
    ("happened", "outcome", "codes", "kind"),
    [
        ("settled", "permit", [], "both_permitted"),
        ("rejected", "permit", [], "rejected_permitted"),
        ("settled", "deny", ["HALTED"], "settled_denied"),
        ("rejected", "deny", ["HALTED"], "both_denied"),
        ("settled", "deny", ["INPUT_MISSING", "HALTED"], "settled_denied"),
        ("settled", "deny", ["INPUT_MISSING"], "unjudged"),
        ("rejected", "deny", ["INPUT_MISSING", "INPUT_MISSING"], "unjudged"),
        ("settled", "review", ["PEP_EDD_REQUIRED"], "review"),
    ],
)
def test_kinds(happened: str, outcome: str, codes: list[str], kind: str) -> None:
    assert classify(happened, Answer(outcome, None, None, [{"code": code} for code in codes])) == kind


def test_a_trade_counts_once_for_a_reason_and_once_for_each_reason(tmp_path: Path) -> None:
    row = {"offering.state": "closed", "venue.licensed": "false"}
    told = compared(write(tmp_path, row, {}), "--defaults", "scenario")
    assert told["disagreed"] == 1
    assert [(g["code"], g["rows"]) for g in told["groups"]] == [
        ("OFFERING_CLOSED", [2]),
        ("VENUE_NOT_LICENSED", [2]),
        (None, [3]),
    ]


def test_one_reason_of_two_offerings_counts_a_trade_once() -> None:
    told = {"outcome": "settled", "trade_date": date(2026, 6, 1), "action": "secondary"}
    reason: dict[str, Any] = {
        "code": "HALTED",
        "party": None,
        "basis": "issuer_policy",
        "citation": "c",
        "message": "m",
        "remedy": {},
    }
    answer = Answer("deny", None, None, [reason | {"evidence": {"lot": lot}} for lot in ("a", "b")])
    [group] = compare([(Trade(2, told, {}), answer), (Trade(3, told, {}), answer)])["groups"]
    assert (group["count"], group["rows"], group["example"]["evidence"]) == (2, [2, 3], {"lot": "a"})


def test_report_escapes_what_the_file_says(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    file = write(tmp_path, {"reference": "<script>", "offering.state": "closed"})
    assert shadow(file, "--defaults", "scenario", "--report", report).exit_code == 1
    page = report.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<svg" in page
    assert "OFFERING_CLOSED" in page
    assert "default-src 'none'" in page
