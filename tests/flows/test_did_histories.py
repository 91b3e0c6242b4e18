"""did:webvh issuers end to end: their history decides which key counts, and is never believed backwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.credentials.multikey import encode_multikey
from tests.flows.test_foreign_issuers import HOLDER
from tests.foreign_issuer import ForeignIssuer, running_platform
from tests.unit.jose_support import SIGNERS, Signer
from tests.unit.webvh_support import KEYS, WebvhLog, multikey
from tests.verifying_support import Platform, failed

PATH, WITNESS_PATH = "/tenants/one/did.jsonl", "/tenants/one/did-witness.json"
ES256, EDDSA = SIGNERS["ES256"], SIGNERS["EdDSA"]


@pytest.fixture
async def platform(migrated_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    async with running_platform(migrated_url, tmp_path, abroad) as platform:
        yield platform


def state_of(did: str, *signers: Signer) -> dict[str, Any]:
    methods = [
        {
            "id": f"#{signer.alg}",
            "type": "Multikey",
            "controller": did,
            "publicKeyMultibase": encode_multikey(signer.key),
        }
        for signer in signers
    ]
    return {"verificationMethod": methods, "assertionMethod": [method["id"] for method in methods]}


class Controller:
    """An issuer with a history; times are days before the deployment's now."""

    def __init__(self, platform: Platform, abroad: ForeignIssuer) -> None:
        self.platform, self.abroad = platform, abroad
        self.log = WebvhLog(f"localhost%3A{abroad.port}:tenants:one")

    def now(self, *, days: float = 0) -> Any:
        return self.platform.deployment.clock() - timedelta(days=days)

    async def create(self, *signers: Signer, days: float, **parameters: Any) -> None:
        placeholder = f"did:webvh:{{SCID}}:{self.log.place}"
        self.log.create(state_of(placeholder, *signers), at=self.now(days=days), **parameters)
        self.publish()
        await self.platform.trust(self.log.did, "kyc")

    def update(self, *signers: Signer, days: float, **parameters: Any) -> None:
        self.log.update(state_of(self.log.did, *signers), at=self.now(days=days), **parameters)
        self.publish()

    def publish(self) -> None:
        self.abroad.serve(PATH, self.log.body.decode())

    async def verify(self, signer: Signer = ES256, *, days: float = 0) -> Any:
        """Return the outcome, or the failed checks, of a credential that says to be as old as ``days``."""
        self.abroad.keys, self.abroad.alg = signer, signer.alg
        kid = f"{self.log.did}#{signer.alg}"
        credential = self.abroad.issue(HOLDER, self.now(days=days), iss=self.log.did, kid=kid, status=None)
        verdict = await self.platform.verify(credential=credential)
        return failed(verdict["checks"]) or verdict["outcome"]

    def later(self) -> None:
        """Let what was kept grow too old."""
        self.platform.deployment.clock.advance(minutes=6)


@pytest.fixture
async def issuer(platform: Platform, abroad: ForeignIssuer) -> Controller:
    return Controller(platform, abroad)


async def test_a_log_is_verified_fetched_once_and_kept(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    assert await issuer.verify() == "verified"
    assert await issuer.verify() == "verified"
    assert issuer.abroad.asked == [PATH]
    issuer.later()
    assert await issuer.verify() == "verified"
    assert issuer.abroad.asked == [PATH, PATH]


async def test_who_is_not_trusted_is_not_asked(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    await issuer.platform.call("DELETE", "/v1/trusted-issuers/one")
    assert await issuer.verify() == {("issuer_trusted", "issuer_untrusted")}
    assert issuer.abroad.asked == []


async def test_a_key_signs_nothing_older_than_its_version_and_nothing_once_withdrawn(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    issuer.update(ES256, EDDSA, days=10)
    assert await issuer.verify(EDDSA, days=9) == "verified"
    assert await issuer.verify(EDDSA, days=12) == {("issuer", "issuer_key_backdated")}
    assert await issuer.verify(ES256, days=19) == "verified"
    issuer.update(EDDSA, days=1)
    issuer.later()
    assert await issuer.verify(ES256, days=19) == {("issuer", "issuer_key_unknown")}
    issuer.update(EDDSA, ES256, days=0)
    issuer.later()
    assert await issuer.verify(ES256, days=5) == {("issuer", "issuer_key_backdated")}  # it was away in between


async def test_a_log_without_its_end_brings_no_key_back(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    issuer.update(EDDSA, days=10)
    assert await issuer.verify(EDDSA) == "verified"
    del issuer.log.entries[1]
    issuer.publish()
    issuer.later()
    assert await issuer.verify(ES256, days=15) == {("issuer", "did_log_rewritten")}
    issuer.update(ES256, EDDSA, days=5)  # by the right key, but not on top of what was there
    assert await issuer.verify(ES256) == {("issuer", "did_log_rewritten")}


async def test_an_identifier_that_ended_stays_so(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    issuer.update(ES256, days=10, deactivated=True)
    assert await issuer.verify(days=15) == {("issuer", "did_deactivated")}
    assert await issuer.verify() == {("issuer", "did_deactivated")}
    assert issuer.abroad.asked == [PATH]
    del issuer.log.entries[1]
    issuer.publish()
    issuer.later()
    assert await issuer.verify(days=15) == {("issuer", "did_log_rewritten")}


async def test_a_forged_or_unreadable_log_verifies_nothing_and_is_not_kept(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    for body in (issuer.log.body.decode().replace('"#ES256"', '"#ES257"'), "{}", "", "[" * 1000):
        issuer.abroad.serve(PATH, body)
        assert await issuer.verify() == {("issuer", "did_log_invalid")}
    issuer.abroad.serve(PATH, "a" * 300_000)
    assert await issuer.verify() == {("issuer", "issuer_unavailable")}
    issuer.abroad.raw[PATH] = b"HTTP/1.1 302 X\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert await issuer.verify() == {("issuer", "issuer_unavailable")}
    assert set(issuer.abroad.asked) == {PATH}
    del issuer.abroad.raw[PATH]
    issuer.publish()
    assert await issuer.verify() == "verified"
    issuer.update(*[ES256] * 101, days=1)  # each costs as much as a signature to read
    issuer.later()
    assert await issuer.verify() == {("issuer", "did_log_invalid")}


async def test_the_document_of_an_identifier_that_moved_is_no_longer_this_ones(issuer: Controller) -> None:
    await issuer.create(ES256, days=20, portable=True)
    state = {"id": f"did:webvh:{issuer.log.scid}:elsewhere.example", "alsoKnownAs": [issuer.log.did]}
    issuer.log.update(state, at=issuer.now(days=1))
    issuer.publish()
    assert await issuer.verify() == {("issuer", "issuer_key_unknown")}


async def test_witnesses_are_asked_for_where_the_log_names_them(issuer: Controller) -> None:
    names = [{"id": f"did:key:{multikey(signer)}"} for signer in KEYS[1:3]]
    await issuer.create(ES256, days=20, witness={"threshold": 2, "witnesses": names})
    assert await issuer.verify() == {("issuer", "issuer_unavailable")}
    issuer.abroad.serve(WITNESS_PATH, [issuer.log.approve(0, KEYS[1])])
    assert await issuer.verify() == {("issuer", "did_log_invalid")}
    issuer.abroad.serve(WITNESS_PATH, [issuer.log.approve(0, *KEYS[1:3])])
    assert await issuer.verify() == "verified"


async def test_an_identifier_without_an_address_is_refused(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    issuer.log.place = "127.0.0.1"
    await issuer.platform.trust(issuer.log.did, "kyc")
    assert await issuer.verify() == {("issuer", "issuer_key_unknown")}
    assert issuer.abroad.asked == []


async def test_a_long_log_keeps_nobody_waiting(issuer: Controller) -> None:
    await issuer.create(ES256, days=20)
    for number in range(150):
        issuer.log.update(state_of(issuer.log.did, ES256), at=issuer.now(days=19 - number / 10))
    issuer.publish()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    counting = asyncio.create_task(count_turns())
    assert await issuer.verify() == "verified"
    counting.cancel()
    assert len(json.dumps(issuer.log.entries)) > 100_000
    assert turns > 3
