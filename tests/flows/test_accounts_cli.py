"""``goodstanding accounts``: people and links, made by an operator."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service.cli.main import app
from tests.deployment import prepare_keystore

RUNNER = CliRunner()


@pytest.fixture
def run(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on a migrated deployment with one organisation."""
    prepare_keystore(tmp_path)
    monkeypatch.setenv("GOODSTANDING_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GOODSTANDING_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("GOODSTANDING_KEY_PASSPHRASE", "correct horse battery staple")

    def invoke(*arguments: str) -> Result:
        return RUNNER.invoke(app, list(arguments))

    assert invoke("org", "create", "Oak", "--slug", "oak", "--role", "issuer").exit_code == 0
    return invoke


def test_an_account_from_made_to_disabled(run: Any) -> None:
    made = json.loads(run("accounts", "create", "oak", "Ada", "--role", "admin", "--role", "officer", "--json").stdout)
    assert (made["name"], made["roles"], made["language"]) == ("Ada", ["officer", "admin"], "en")
    assert made["sign_in_link"].startswith("http://localhost:8000/console/sign-in/link/")
    second = json.loads(run("accounts", "create", "oak", "Bo", "--role", "admin", "--language", "zh", "--json").stdout)
    listed = json.loads(run("accounts", "list", "oak", "--json").stdout)
    assert [each["id"] for each in listed] == [made["id"], second["id"]]
    link = json.loads(run("accounts", "sign-in-link", "oak", made["id"], "--minutes", "60", "--json").stdout)
    assert link["sign_in_link"] != made["sign_in_link"]
    assert json.loads(run("accounts", "disable", "oak", made["id"], "--json").stdout)["disabled_at"] is not None
    assert "Ada" in run("accounts", "list", "oak").stdout
    assert "zh" in run("accounts", "create", "oak", "Cy", "--role", "officer", "--language", "zh").stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "nowhere", "Ada", "--role", "officer"), "not_found"),
        (("create", "oak", "Ada", "--role", "boss"), "account_invalid"),
        (("disable", "oak", "acc_nobody"), "not_found"),
        (("sign-in-link", "oak", "acc_nobody"), "not_found"),
    ],
)
def test_what_cannot_be_done(run: Any, arguments: tuple[str, ...], code: str) -> None:
    result = run("accounts", *arguments)
    assert result.exit_code != 0
    assert getattr(result.exception, "code", "") == code


def test_a_link_lives_a_week_at_most(run: Any) -> None:
    assert run("accounts", "sign-in-link", "oak", "acc_nobody", "--minutes", "10081").exit_code == 2
