"""``doctor``: each thing that can be wrong with a live set-up is found, and what is sound is not called wrong."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from service.cli import doctor_checks as checks
from service.cli.doctor_findings import Examined, Finding
from service.cli.doctor_settings import examine_settings, find_missing
from service.cli.main import app
from service.log.sequencer import advance_log
from service.settings import Settings
from service.storage.tables import HeldStatusList
from tests.deployment import BASE_URL, PASSPHRASE, Deployment
from tests.loopback import Party, serving


def examined(deployment: Deployment) -> Examined:
    return Examined(deployment.settings, deployment.context)


async def change(deployment: Deployment, statement: str, **values: object) -> None:
    async with deployment.context.database.transaction() as session:
        await (await session.connection()).execute(text(statement), values)


@pytest.mark.parametrize("check", checks.CHECKS[:-1], ids=lambda check: check.__name__)
async def test_a_sound_deployment_is_called_so(deployment: Deployment, check: checks.Check) -> None:
    await advance_log(deployment.context)
    found = await check(examined(deployment))
    # The server of the tests doesn't sync, and that is found.
    sound = check is not checks.check_durability or deployment.context.database.is_sqlite
    assert (found.outcome, "fsync" in found.detail) == (("ok", False) if sound else ("fail", True))


async def test_an_older_schema_is_wrong(deployment: Deployment) -> None:
    await change(deployment, "UPDATE alembic_version SET version_num = '0001'")
    assert (await checks.check_version(examined(deployment))).outcome == "fail"


@pytest.mark.parametrize("seconds", [-11, 11])
async def test_clocks_that_differ_are_wrong(deployment: Deployment, seconds: int) -> None:
    deployment.clock.database_ahead = timedelta(seconds=seconds)
    assert (await checks.check_clock(examined(deployment))).outcome == "fail"


async def test_keys_that_are_lost_or_others_are_wrong(deployment: Deployment) -> None:
    await change(deployment, "UPDATE signing_key SET kid = kid || 'x' WHERE purpose = 'log'")
    found = await checks.check_keys(examined(deployment))
    assert (found.outcome, "log of org_system" in found.detail) == ("fail", True)


async def test_a_key_that_signs_otherwise_than_published_is_wrong(deployment: Deployment) -> None:
    other = deployment.context.signer.create_key("EdDSA").jwk
    await change(
        deployment, "UPDATE signing_key SET public_jwk = :jwk WHERE purpose = 'log'", jwk=json.dumps(dict(other))
    )
    assert (await checks.check_keys(examined(deployment))).outcome == "fail"


async def test_a_certificate_that_ends_soon_is_to_look_at(deployment: Deployment) -> None:
    ends = (deployment.clock() + timedelta(days=29)).replace(tzinfo=None)
    await change(deployment, "UPDATE signing_key SET certified_until = :ends WHERE purpose = 'log'", ends=ends)
    assert (await checks.check_certificates(examined(deployment))).outcome == "warn"


async def test_a_database_older_than_what_was_published_is_wrong(deployment: Deployment) -> None:
    await deployment.add_organization("one", "issuer")
    await advance_log(deployment.context)
    await change(deployment, "DELETE FROM log_checkpoint")
    found = await checks.check_log(examined(deployment))
    assert (found.outcome, "were published" in found.detail) == ("fail", True)


async def test_a_log_that_stands_still_is_wrong(deployment: Deployment) -> None:
    await deployment.add_organization("one", "issuer")
    deployment.clock.advance(seconds=6)
    assert (await checks.check_log(examined(deployment))).outcome == "fail"


async def test_lists_past_their_end_are_to_look_at(deployment: Deployment) -> None:
    now = deployment.clock()
    async with deployment.context.database.transaction() as session:
        for name, ends in (("old", now - timedelta(seconds=1)), ("new", now + timedelta(days=1)), ("open", None)):
            session.add(
                HeldStatusList(
                    org_id="org_1",
                    uri=f"https://issuer.example/{name}",
                    issuer="https://issuer.example",
                    bits=1,
                    packed=b"\0",
                    issued_at=now - timedelta(days=1),
                    expires_at=ends,
                    fetched_at=now,
                )
            )
    found = await checks.check_status_lists(examined(deployment))
    assert (found.outcome, found.detail.partition(" ")[0]) == ("warn", "1")


async def test_the_service_must_be_this_one_and_ready(sqlite_deployment: Deployment) -> None:
    """A loopback server stands for whatever answers at the base URL."""
    party = Party()

    async def examine(base_url: str) -> Finding:
        context = replace(sqlite_deployment.context, base_url=base_url)
        return await checks.check_service(Examined(sqlite_deployment.settings, context))

    with serving(lambda _: party) as base_url:
        party.routes = {"/.well-known/goodstanding-log": {"vkey": "another"}, "/readyz": {"status": "ok"}}
        assert "another deployment" in (await examine(base_url)).detail
        party.routes["/.well-known/goodstanding-log"] = (
            await sqlite_deployment.http.get("/.well-known/goodstanding-log")
        ).json()
        ours = replace(sqlite_deployment.context, base_url=base_url)
        assert (await checks.check_service(Examined(sqlite_deployment.settings, ours))).outcome == "fail"
    assert "does not answer" in (await examine(base_url)).detail


async def test_settings_that_a_public_address_should_not_have_are_named(sqlite_deployment: Deployment) -> None:
    data_dir = sqlite_deployment.context.data_dir
    loose = Settings(
        base_url="https://gs.example", data_dir=data_dir, vc_api=True, fetch_allow="10.0.0.1:80", _env_file=None
    )
    for name in ("passphrase", "goodstanding.sqlite3"):
        (data_dir / name).touch()
        (data_dir / name).chmod(0o600)
    data_dir.chmod(0o700)
    by_name = {each.check: each for each in examine_settings(loose)}
    assert by_name["exposure"].outcome == "warn"
    assert by_name["exposure"].detail.count(";") == 3 + 2  # four of them, two with a semicolon of their own
    assert by_name["files"].outcome == "ok"
    (data_dir / "passphrase").chmod(0o640)
    found = {each.check: each for each in examine_settings(loose)}["files"]
    assert (found.outcome, "passphrase" in found.detail) == ("fail", True)


def test_what_was_lost_is_not_made_anew(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "gone", _env_file=None)
    missing = find_missing(settings)
    assert missing
    assert (missing.outcome, (tmp_path / "gone").exists()) == ("fail", False)


async def test_the_command_says_what_to_do_and_tells_by_its_code(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context = deployment.context
    context.data_dir.chmod(0o700)
    settings = {"BASE_URL": BASE_URL, "DATABASE_URL": context.database.url, "DATA_DIR": str(context.data_dir)}
    for name, value in (settings | {"KEY_PASSPHRASE": PASSPHRASE}).items():
        monkeypatch.setenv(f"GOODSTANDING_{name}", value)
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["doctor", *options])
        return result.exit_code, result.stdout

    code, printed = await asyncio.to_thread(run)
    assert code == 1
    assert "service serve" in printed  # nothing runs at the base URL
    code, printed = await asyncio.to_thread(run, "--json")
    report = json.loads(printed)
    assert (code, report["healthy"], len(report["findings"])) == (1, False, 11)
