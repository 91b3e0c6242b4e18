"""Where people begin after `make serve`: a link for each role with work at a demo organisation, new at each start."""

from pathlib import Path

import pytest

from service.accounts.accounts import ADMIN, APPROVER, AUDITOR, COMPLIANCE, OFFICER
from service.accounts.sign_in_links import LinkUnusableError, look_at_link
from service.cli.welcome import describe_welcome, make_welcome_links
from service.demo.people import LINKS_LIVE
from service.demo.seed import ORGANIZATIONS, seed_deployment
from service.gate.securities import find_security, read_security_terms
from tests.deployment import Deployment

ISSUER, PLATFORM = (OFFICER, APPROVER, AUDITOR, ADMIN), (OFFICER, AUDITOR, COMPLIANCE, ADMIN)


async def test_each_start_makes_links_that_work(sqlite_deployment: Deployment, tmp_path: Path) -> None:
    context, clock = sqlite_deployment.context, sqlite_deployment.clock
    await seed_deployment(context, tmp_path / "seed.json")
    first = await make_welcome_links(context)
    await seed_deployment(context, tmp_path / "seed.json")
    second = await make_welcome_links(context)
    assert list(first) == [new.name for new in ORGANIZATIONS.values()]
    assert [tuple(by_role) for by_role in second.values()] == [ISSUER, ISSUER, PLATFORM]
    for organization, by_role in second.items():
        async with context.database.reading() as session:
            for role, link in by_role.items():
                accounts = [
                    await look_at_link(session, each.rpartition("/")[2], now=clock())
                    for each in (link, first[organization][role])
                ]
                assert [account.roles for account in accounts] == [[role], [role]]
                assert accounts[0].id == accounts[1].id  # the same person as before
    clock.advance(seconds=LINKS_LIVE.total_seconds())
    async with context.database.reading() as session:
        with pytest.raises(LinkUnusableError):
            await look_at_link(session, link.rpartition("/")[2], now=clock())


async def test_a_person_has_minutes_to_complete_a_purchase(sqlite_deployment: Deployment, tmp_path: Path) -> None:
    context = sqlite_deployment.context
    seeded = await seed_deployment(context, tmp_path / "seed.json")
    platform = seeded["organizations"]["platform"]
    async with context.database.reading() as session:
        head = await find_security(session, platform["org_id"], platform["securities"]["demo"]["id"])
        assert (await read_security_terms(session, head))["settle_within"] == 15 * 60


async def test_the_welcome_names_every_door(sqlite_deployment: Deployment, tmp_path: Path) -> None:
    context = sqlite_deployment.context
    await seed_deployment(context, tmp_path / "seed.json")
    links = await make_welcome_links(context)
    text = describe_welcome(context.base_url, links, "http://localhost:8001")
    doors = ["http://localhost:8001/", f"{context.base_url}/wallet/", f"{context.base_url}/docs"]
    doors += [link for by_role in links.values() for link in by_role.values()]
    assert all(f" {door}\n" in text for door in doors)
