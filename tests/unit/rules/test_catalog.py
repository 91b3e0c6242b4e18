"""The declared data of the rule set, the purposes, and the command that shows them."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli.rules import app
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.rules import RULES_SHA256, RULES_VERSION
from service.rules.catalog import ALWAYS_RULES, REGIMES, list_rules
from service.rules.codes import MESSAGES, OBLIGATIONS
from service.rules.purposes import PURPOSES
from service.schema_files import load_reason_codes

SCENARIOS = Path(__file__).parents[2] / "scenarios"
run = CliRunner().invoke


def test_rule_ids_are_unique_and_rules_complete() -> None:
    of_regimes = {id(rule): rule for regime in REGIMES.values() for rule in regime.rules}  # regimes share some
    rules = [*ALWAYS_RULES, *of_regimes.values()]
    assert len(list_rules()) == len(rules)
    for rule in rules:
        assert rule.citation
        assert rule.actions
        assert (rule.check is None) != (rule.check_party is None)
        assert rule.basis != "law" or rule.source != "policy"


def test_version_and_digest_name_the_rule_set() -> None:
    assert re.fullmatch(r"\d{4}\.\d{2}\.\d+", RULES_VERSION)
    assert re.fullmatch(r"[0-9a-f]{64}", RULES_SHA256)


def test_codes_are_those_of_the_published_list() -> None:
    published = set(load_reason_codes())
    assert set(MESSAGES) | set(OBLIGATIONS) <= published


@pytest.mark.parametrize("purpose", PURPOSES.values(), ids=lambda purpose: purpose.id)
def test_purposes_ask_only_for_claims_that_exist_and_never_for_who_someone_is(purpose) -> None:  # type: ignore[no-untyped-def]  # parametrised
    for need in purpose.needs:
        assert set(need.claims) <= CREDENTIAL_TYPES[need.credential_type].disclosable
        assert not {"given_name", "family_name", "birthdate", "address", "id_number", "legal_name"} & set(need.claims)
        assert len(set(need.alternatives)) == len(need.alternatives)


def test_506c_asks_exactly_three_credentials() -> None:
    assert [need.credential_type for need in PURPOSES["us.506c"].needs] == [
        "kyc",
        "aml-screening",
        "qualified-investor",
    ]
    assert [need.credential_type for need in PURPOSES["us.reg_s"].needs] == ["kyc", "aml-screening"]


def test_command_runs_files() -> None:
    result = run(app, ["test", *map(str, sorted(SCENARIOS.glob("*.yaml")))])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith(" passed, 0 failed")


def test_command_tells_failures(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(
        json.dumps({"schema_version": 1, "scenarios": [{"id": "BAD", "kind": "transfer", "given": {"x": 1}}]})
    )
    result = run(app, ["test", str(file)])
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["BAD: given.x: unknown field", "0 passed, 1 failed"]
    as_json = run(app, ["test", str(file), "--json"])
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["failures"][0]["mismatches"] == ["given.x: unknown field"]


def test_command_cannot_run_without_a_readable_file(tmp_path: Path) -> None:
    assert run(app, ["test", str(tmp_path / "none.yaml")]).exit_code == 2
    (tmp_path / "bad.yaml").write_text("a: [")
    assert run(app, ["test", str(tmp_path / "bad.yaml")]).exit_code == 2


def test_command_lists_and_shows() -> None:
    listed = json.loads(run(app, ["list", "--json"]).stdout)
    assert {"version", "sha256", "regimes", "rules", "tests", "limits", "purposes", "pending"} <= set(listed)
    assert run(app, ["list"]).exit_code == 0
    assert "17 CFR 230.506(c)" in run(app, ["show", "us.506c"]).stdout
    assert json.loads(run(app, ["show", "us.resale", "--json"]).stdout)["parameters"]["4a7.class_days"] == "90"
    assert run(app, ["show", "none"]).exit_code == 1
