"""The wallet finds the key of a did:webvh in its history, and believes none that does not hold together."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from fastapi import Response

from service.credentials.multikey import encode_multikey
from service.fetch import Fetcher
from service.keys import FileKeystore
from service.wallet.errors import RefusedError, RejectedError
from service.wallet.trusted_keys import find_issuer_key
from tests.loopback import serving
from tests.unit.jose_support import SIGNERS, Signer
from tests.unit.webvh_support import KEYS, START, WebvhLog, multikey
from tests.wallet_parties import NOW, FakeIssuer

PATH = "/tenants/one/did.jsonl"
FIRST, SECOND = SIGNERS["ES256"], SIGNERS["EdDSA"]


@pytest.fixture
def host(party_signer: FileKeystore) -> Iterator[FakeIssuer]:
    made: list[FakeIssuer] = []

    def make(base_url: str) -> FakeIssuer:
        made.append(FakeIssuer(base_url, party_signer))
        return made[0]

    with serving(make):
        yield made[0]


def new_log(host: FakeIssuer) -> WebvhLog:
    log = WebvhLog(f"localhost%3A{urlsplit(host.identifier).port}:tenants:one")
    log.create(state_of("did:webvh:{SCID}:" + log.place, FIRST))
    return log


def state_of(did: str, signer: Signer) -> dict[str, object]:
    method = {"id": "#k", "type": "Multikey", "controller": did, "publicKeyMultibase": encode_multikey(signer.key)}
    return {"verificationMethod": [method], "assertionMethod": ["#k"]}


async def find(host: FakeIssuer, log: WebvhLog, fetcher: Fetcher) -> object:
    host.routes[PATH] = Response(log.body)
    return (await find_issuer_key(log.did, f"{log.did}#k", fetcher=fetcher, now=NOW)).jwk


async def test_the_key_is_that_of_the_last_version(host: FakeIssuer, fetcher: Fetcher) -> None:
    log = new_log(host)
    assert await find(host, log, fetcher) == FIRST.key.jwk
    log.update(state_of(log.did, SECOND))
    assert await find(host, log, fetcher) == SECOND.key.jwk
    log.entries[0]["state"]["alsoKnownAs"] = ["urn:x"]
    with pytest.raises(RejectedError):
        await find(host, log, fetcher)


async def test_a_version_of_somebody_else_or_of_later_is_refused(host: FakeIssuer, fetcher: Fetcher) -> None:
    for changes in ({"signers": KEYS[1:2]}, {"at": NOW + timedelta(days=1)}, {"deactivated": True, "updateKeys": []}):
        log = new_log(host)
        log.update(state_of(log.did, SECOND), **changes)  # type: ignore[arg-type]  # each fits its own parameter
        with pytest.raises(RejectedError):
            await find(host, log, fetcher)


async def test_witnesses_are_asked(host: FakeIssuer, fetcher: Fetcher) -> None:
    log = WebvhLog(f"localhost%3A{urlsplit(host.identifier).port}:tenants:one")
    witness = {"threshold": 1, "witnesses": [{"id": f"did:key:{multikey(KEYS[3])}"}]}
    log.create(state_of("did:webvh:{SCID}:" + log.place, FIRST), at=START, witness=witness)
    with pytest.raises(RefusedError):
        await find(host, log, fetcher)
    host.routes[PATH.replace("did.jsonl", "did-witness.json")] = [log.approve(0, KEYS[3])]
    assert await find(host, log, fetcher) == FIRST.key.jwk
    host.routes[PATH.replace("did.jsonl", "did-witness.json")] = [log.approve(0, KEYS[2])]
    with pytest.raises(RejectedError):
        await find(host, log, fetcher)
