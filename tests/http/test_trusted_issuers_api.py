"""The list of trusted issuers and the investors of a platform, over HTTP."""

from typing import Any

import pytest
from sqlmodel import select

from service.storage.tables import AuditEntry, Organization
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.verifying_support import Platform

ENTRY = {
    "issuer": "https://issuer.example/issuers/cpa",
    "credential_types": ["qualified-investor"],
    "jurisdictions": ["US"],
    "attester_class": "us_cpa",
    "attester_register_id": "NY-1234",
    "valid_from": "2026-01-01",
    "valid_until": "2026-12-31",
}


@prepared
async def platform(sqlite_deployment: Deployment) -> Platform:
    return Platform(sqlite_deployment, await sqlite_deployment.add_organization("platform", "platform"))


async def read_trust_version(platform: Platform) -> int:
    async with platform.deployment.context.database.reading() as session:
        return (await session.get_one(Organization, platform.member.org_id)).trust_version


async def test_an_entry_is_put_read_listed_and_deleted(platform: Platform) -> None:
    created = await platform.call("PUT", "/v1/trusted-issuers/cpa", ENTRY)
    assert created.status_code == 201
    assert {name: created.json()[name] for name in ENTRY} == ENTRY
    replaced = await platform.call("PUT", "/v1/trusted-issuers/cpa", ENTRY | {"jurisdictions": []})
    assert (replaced.status_code, replaced.json()["jurisdictions"]) == (200, [])
    assert (await platform.call("GET", "/v1/trusted-issuers/cpa")).json() == replaced.json()
    await platform.call("PUT", "/v1/trusted-issuers/b", ENTRY)
    first = await platform.call("GET", "/v1/trusted-issuers?limit=1")
    assert ([each["id"] for each in first.json()["data"]], first.json()["next"]) == (["b"], "b")
    second = await platform.call("GET", "/v1/trusted-issuers?limit=1&after=b")
    assert ([each["id"] for each in second.json()["data"]], second.json()["next"]) == (["cpa"], None)
    assert (await platform.call("DELETE", "/v1/trusted-issuers/cpa")).status_code == 204
    assert (await platform.call("DELETE", "/v1/trusted-issuers/cpa")).status_code == 404
    assert (await platform.call("GET", "/v1/trusted-issuers/cpa")).status_code == 404


async def test_every_change_raises_the_trust_version_and_is_recorded(platform: Platform) -> None:
    assert await read_trust_version(platform) == 0
    await platform.call("PUT", "/v1/trusted-issuers/cpa", ENTRY)
    changed = await platform.call("PUT", "/v1/trusted-issuers/cpa", ENTRY)
    assert changed.json()["trust_version"] == await read_trust_version(platform) == 2
    await platform.call("DELETE", "/v1/trusted-issuers/cpa")
    assert await read_trust_version(platform) == 3
    await platform.call("DELETE", "/v1/trusted-issuers/cpa")
    assert await read_trust_version(platform) == 3
    async with platform.deployment.context.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "trusted_issuer.changed")
        assert len((await session.exec(query)).all()) == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "not an issuer"}, "trusted_issuer_invalid"),
        ({"issuer": "https://[issuer.example"}, "trusted_issuer_invalid"),
        ({"issuer": "http://issuer.example"}, "trusted_issuer_invalid"),
        ({"issuer": "https://issuer.example/?a=b"}, "trusted_issuer_invalid"),
        ({"issuer": "did:ion:abc"}, "trusted_issuer_invalid"),
        ({"credential_types": ["passport"]}, "trusted_issuer_invalid"),
        ({"valid_until": "2025-12-31"}, "trusted_issuer_invalid"),
        ({"credential_types": []}, "invalid_input"),
        ({"jurisdictions": ["us"]}, "invalid_input"),
        ({"valid_from": "yesterday"}, "invalid_input"),
        ({"valid_from": 20260101}, "invalid_input"),
        ({"more": 1}, "invalid_input"),
    ],
)
async def test_entries_that_mean_nothing_are_refused(platform: Platform, changes: dict[str, Any], code: str) -> None:
    answer = await platform.call("PUT", "/v1/trusted-issuers/cpa", ENTRY | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await read_trust_version(platform) == 0


@pytest.mark.parametrize("entry_id", ["a b", "a:b", "x" * 65])
async def test_ids_are_of_the_contracts_form(platform: Platform, entry_id: str) -> None:
    assert (await platform.call("PUT", f"/v1/trusted-issuers/{entry_id}", ENTRY)).status_code == 422
    assert (await platform.call("PUT", f"/v1/investors/{entry_id}", {})).status_code == 422


async def test_lists_of_platforms_are_apart(platform: Platform) -> None:
    await platform.call("PUT", "/v1/trusted-issuers/cpa", ENTRY)
    other = Platform(platform.deployment, await platform.deployment.add_organization("other", "platform"))
    assert (await other.call("GET", "/v1/trusted-issuers")).json()["data"] == []
    assert (await other.call("GET", "/v1/trusted-issuers/cpa")).status_code == 404
    assert (await other.call("DELETE", "/v1/trusted-issuers/cpa")).status_code == 404
    assert (await platform.call("GET", "/v1/trusted-issuers/cpa")).status_code == 200


async def test_an_investor_is_put_and_changed_by_parts(platform: Platform) -> None:
    screening = {"result": "clear", "screened_at": "2026-11-23T14:00:00Z", "lists": ["ofac-sdn@2026-11-22"]}
    created = await platform.call("PUT", "/v1/investors/inv-1", {})
    assert (created.status_code, created.json()["frozen"], created.json()["screening"]) == (201, False, None)
    screened = await platform.call("PUT", "/v1/investors/inv-1", {"screening": screening})
    assert (screened.status_code, screened.json()["screening"]) == (200, screening)
    frozen = await platform.call("PUT", "/v1/investors/inv-1", {"frozen": True})
    assert (frozen.json()["frozen"], frozen.json()["screening"]) == (True, screening)
    standing = (await platform.call("GET", "/v1/investors/inv-1/standing")).json()
    assert (standing["frozen"], standing["screening"], standing["facts"]) == (True, screening, [])
    assert {each["covered"] for each in standing["purposes"]} == {False}


@pytest.mark.parametrize(
    "body",
    [
        {"frozen": "yes"},
        {"frozen": None},
        {"screening": {"result": "fine", "screened_at": "2026-11-23T14:00:00Z"}},
        {"screening": {"result": "clear", "screened_at": "2026-11-23T14:00:00"}},
        {"screening": {"result": "clear", "screened_at": "2026-11-23"}},
        {"screening": {"result": "clear", "screened_at": "2026-W48-1T14:00:00Z"}},
        {"screening": {"result": "clear", "screened_at": "20261123T140000Z"}},
        {"screening": {"result": "clear", "screened_at": "2026-11-23T14Z"}},
        {"screening": {"result": "clear", "screened_at": "0001-01-01T00:00:00+23:59"}},
        {"screening": {"result": "clear", "screened_at": 1763906400}},
        {"screening": {"result": "clear"}},
        {"screening": {"result": "clear", "screened_at": "2026-11-23T15:02:00Z"}},
        {"name": "Canary"},
    ],
)
async def test_investors_that_cannot_be_read_are_refused(platform: Platform, body: dict[str, Any]) -> None:
    answer = await platform.call("PUT", "/v1/investors/inv-1", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert (await platform.call("GET", "/v1/investors/inv-1/standing")).status_code == 404
