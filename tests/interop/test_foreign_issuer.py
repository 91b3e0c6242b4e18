"""An independent issuer: our verifier judges its credentials, and our wallet receives them."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.interop.claims import KYC
from tests.interop.support import Deployment, NodeParty
from tests.unit.sd_jwt_support import new_key_pair

pytestmark = pytest.mark.asyncio(loop_scope="session")
CLAIMS = KYC | {"sub": "c3ViamVjdA"}
REVOKED, SUSPENDED = 1, 2


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trusted(deployment: Deployment, foreign_issuer: NodeParty) -> Deployment:
    """The deployment, whose platform trusts the foreign issuer for identity."""
    terms = {
        "issuer": f"{foreign_issuer.base_url}/issuers/node",
        "credential_types": ["kyc"],
        "jurisdictions": [],
        "attester_class": "kyc_provider",
        "attester_register_id": None,
    }
    await deployment.platform.call("PUT", "/v1/trusted-issuers/node", terms)
    return deployment


class Issued:
    """A credential in a status list of its own."""

    def __init__(self, issuer: NodeParty, list_uri: str, idx: int, credential: str) -> None:
        self.credential = credential
        self._issuer = issuer
        self._entry = {"uri": list_uri, "idx": idx}

    @classmethod
    async def create(cls, issuer: NodeParty) -> "Issued":
        uri = (await issuer.control("list"))["uri"]
        answer = await issuer.control("credential", claims=CLAIMS, holderJwk=new_key_pair().jwk)
        return cls(issuer, uri, answer["idx"], answer["credential"])

    async def set_status(self, value: int) -> None:
        await self._issuer.control("status", **self._entry, value=value)

    async def break_list(self) -> None:
        await self._issuer.control("outage", **self._entry)


async def judge(deployment: Deployment, credential: str) -> tuple[str, set[str]]:
    """Return the outcome and the codes of all checks that have one."""
    verdict = await deployment.platform.post("/v1/verify", {"credential": credential})
    assert verdict["valid"] is (verdict["outcome"] == "verified")
    return verdict["outcome"], {check["code"] for check in verdict["checks"]} - {None, "not_checked"}


async def wait_for(deployment: Deployment, credential: str, code: str) -> str:
    """Ask until the verdict holds ``code``, as the list's ``ttl`` of a second has to pass; return the outcome."""
    deadline = time.monotonic() + 20
    outcome, codes = await judge(deployment, credential)
    while code not in codes and time.monotonic() < deadline:
        await asyncio.sleep(0.3)
        outcome, codes = await judge(deployment, credential)
    assert code in codes
    return outcome


async def test_a_credential_of_a_trusted_issuer_is_verified(trusted: Deployment, foreign_issuer: NodeParty) -> None:
    issued = await Issued.create(foreign_issuer)
    verdict = await trusted.platform.post("/v1/verify", {"credential": issued.credential})
    assert (verdict["outcome"], verdict["status"], verdict["format"]) == ("verified", "valid", "dc+sd-jwt")
    assert verdict["claims"].items() >= CLAIMS.items()


@pytest.mark.parametrize(
    ("value", "code"),
    [(REVOKED, "credential_revoked"), (SUSPENDED, "credential_suspended")],
    ids=["revoked", "suspended"],
)
async def test_its_status_list_is_believed(
    trusted: Deployment, foreign_issuer: NodeParty, value: int, code: str
) -> None:
    issued = await Issued.create(foreign_issuer)
    await issued.set_status(value)
    assert await judge(trusted, issued.credential) == ("rejected", {code})


async def test_a_revocation_counts_once_the_list_is_due(trusted: Deployment, foreign_issuer: NodeParty) -> None:
    issued = await Issued.create(foreign_issuer)
    assert await judge(trusted, issued.credential) == ("verified", set())
    await issued.set_status(REVOKED)
    assert await wait_for(trusted, issued.credential, "credential_revoked") == "rejected"


async def test_without_its_list_the_last_copy_counts_and_no_copy_is_no_answer(
    trusted: Deployment, foreign_issuer: NodeParty
) -> None:
    issued = await Issued.create(foreign_issuer)
    assert await judge(trusted, issued.credential) == ("verified", set())
    await issued.break_list()
    assert await wait_for(trusted, issued.credential, "status_stale") == "verified"
    unknown = await Issued.create(foreign_issuer)
    await unknown.break_list()
    assert await judge(trusted, unknown.credential) == ("undetermined", {"status_unavailable"})


async def test_what_it_did_not_say_is_rejected(trusted: Deployment, foreign_issuer: NodeParty) -> None:
    issued = await Issued.create(foreign_issuer)
    token, *disclosures = issued.credential.split("~")
    head, _, signature = token.rpartition(".")
    other = "A" if signature[9] != "A" else "B"
    forged = "~".join([f"{head}.{signature[:9]}{other}{signature[10:]}", *disclosures])
    assert await judge(trusted, forged) == ("rejected", {"invalid_signature"})
    invented = "~".join([token, *disclosures[:-1], "WyJzYWx0IiwidXNfcGVyc29uIixmYWxzZV0", ""])
    outcome, codes = await judge(trusted, invented)
    assert (outcome, len(codes)) == ("rejected", 1)


@pytest.mark.parametrize(
    "choices",
    [{}, {"txCode": "s3cret"}, {"useIdentifier": True}, {"byValue": True}],
    ids=["by reference", "with a transaction code", "by credential identifier", "by value"],
)
async def test_our_wallet_receives_its_credential(
    deployment: Deployment, foreign_issuer: NodeParty, tmp_path: Path, choices: dict[str, Any]
) -> None:
    offer = await foreign_issuer.control("offer", claims=CLAIMS, **choices)
    code = ["--tx-code", choices["txCode"]] if "txCode" in choices else []
    finished = await deployment.ask_wallet(tmp_path, "accept", offer["link"], "--yes", "--copies", "3", *code)
    assert finished.code == 0, finished.err
    [held] = finished.json()["credentials"]
    assert (held["issuer_name"], held["copies"]) == ("Issuer in Node.js", 3)
    assert held["claims"].items() >= CLAIMS.items()
    assert (await foreign_issuer.control("notifications"))["events"] == ["credential_accepted"]


async def test_our_wallet_reads_its_status_list(
    deployment: Deployment, foreign_issuer: NodeParty, tmp_path: Path
) -> None:
    uri = (await foreign_issuer.control("list"))["uri"]
    offer = await foreign_issuer.control("offer", claims=CLAIMS)
    accepted = await deployment.ask_wallet(tmp_path, "accept", offer["link"], "--yes")
    assert accepted.code == 0, accepted.err
    for value, name in ((0, "valid"), (REVOKED, "revoked")):
        await foreign_issuer.control("status", uri=uri, idx=0, value=value)
        [held] = (await deployment.ask_wallet(tmp_path, "list", "--check")).json()["credentials"]
        assert held["status"] == name
