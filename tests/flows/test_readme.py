"""What README tells a new user to run, run as it stands."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from rich.console import Console

from service.composition import read_clock
from service.demo.processes import free_port, run_command, running_service
from service.demo.seed import seed_deployment
from service.demo.story import tell_story
from service.fetch import Fetcher
from service.storage.trust import judge_issuer, list_trusted_issuers
from tests.deployment import Deployment
from tests.requirements_support import require_program

ROOT = Path(__file__).parents[2]


async def test_the_story_comes_out_as_told(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    with (tmp_path / "story.txt").open("w") as output:
        came_true = await tell_story(Console(file=output, width=200), now=read_clock(), report=report)
    told = (tmp_path / "story.txt").read_text()
    assert came_true, told
    page = report.read_text()
    assert "PERMIT" in page
    assert "US_506C_ATTESTER_NOT_QUALIFIED" in page
    assert "<script" not in page
    assert not re.search(r"<dd>(?:True|False|\[)", page)
    assert "http-equiv" in page


async def test_the_walk_through_ends_in_a_permit(tmp_path: Path) -> None:
    require_program("curl", package="curl")
    base = f"http://localhost:{free_port()}"
    settings = {"GOODSTANDING_BASE_URL": base, "GOODSTANDING_DATA_DIR": str(tmp_path / "data")}
    fetcher = Fetcher(allow_loopback=True)
    places = {
        "BASE": base,
        "DATA_DIR": str(tmp_path / "data"),
        "WALLET": str(tmp_path / "wallet"),
        "PYTHON": sys.executable,
    }
    async with running_service(fetcher, settings, tmp_path / "log", "--seed"):
        process = await asyncio.create_subprocess_exec(
            "sh",
            str(ROOT / "docs" / "try.sh"),
            cwd=ROOT,
            env={"PATH": os.defpath, "HOME": str(tmp_path), **settings, **places},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    await fetcher.close()
    assert process.returncode == 0, err.decode()
    assert json.loads(out.decode().splitlines()[-1])["outcome"] == "permit"


async def test_the_seed_is_idempotent_and_private(tmp_path: Path) -> None:
    settings = {"GOODSTANDING_DATA_DIR": str(tmp_path / "data")}
    assert (await run_command("init", settings=settings)).code == 0
    first = (await run_command("seed", settings=settings)).json()
    assert (await run_command("seed", "--json", settings=settings)).json() == first
    assert (tmp_path / "data" / "seed.json").stat().st_mode & 0o777 == 0o600
    assert first["organizations"]["accreditor"]["attester_class"] == "us_cpa"
    assert set(first["organizations"]["platform"]["securities"]["demo"]["offerings"]) == {"us.506c", "us.reg_s"}


async def test_the_demo_platform_trusts_issuers_for_their_types_whatever_is_shown(
    sqlite_deployment: Deployment, tmp_path: Path
) -> None:
    document = await seed_deployment(sqlite_deployment.context, tmp_path / "seed.json")
    issuer = document["organizations"]["accreditor"]["credential_issuer"]
    async with sqlite_deployment.context.database.reading() as session:
        rows = await list_trusted_issuers(session, document["organizations"]["platform"]["org_id"])
    verdict = judge_issuer(
        rows,
        issuer=issuer,
        credential_type="qualified-investor",
        jurisdiction=None,
        attester_class=None,
        on=sqlite_deployment.clock().date(),
    )
    assert verdict.trusted
