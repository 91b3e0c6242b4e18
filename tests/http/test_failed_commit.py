"""A commit that fails is never answered 2xx, and leaves nothing behind."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from sqlalchemy import Engine, event, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from service.issuer.offers import PRE_AUTHORIZED_CODE_GRANT
from tests import issuing_support
from tests.deployment import Deployment
from tests.gate_support import REG_D, SECURITY, open_market
from tests.issuing_support import KYC_CLAIMS, add_issuer, issuer_path, make_offer

NEW = {"name": "Sample Broker", "slug": "sample-broker", "roles": ["issuer"]}
TRUST = {
    "issuer": "https://issuer.example",
    "credential_types": ["kyc"],
    "jurisdictions": [],
    "attester_class": "us_cpa",
}
LOT = {"investor_ref": "ada", "offering_id": "reg-d", "quantity": "5", "acquired_on": "2024-01-10", "from": "issuer"}
OFFER = {"credential_configuration_id": "kyc", "claims": KYC_CLAIMS, "subject_ref": "someone", "tx_code": False}


@contextmanager
def failing_commits(*, after: int = 0) -> Iterator[None]:
    """Make every database lose its connection at every COMMIT but the first ``after``."""
    numbers = itertools.count()

    def lose_connection(_connection: Connection) -> None:
        if next(numbers) >= after:
            raise OperationalError("COMMIT", None, ConnectionResetError("gone"))

    event.listen(Engine, "commit", lose_connection)  # a database has several engines
    try:
        yield
    finally:
        event.remove(Engine, "commit", lose_connection)


async def _read_everything(deployment: Deployment) -> dict[str, list[str]]:
    """Return every row of every table."""
    async with deployment.context.database.reading() as session:
        connection = await session.connection()
        return {
            table.name: sorted(map(repr, (await connection.execute(select(table))).all()))
            for table in SQLModel.metadata.sorted_tables
        }


class Writer:
    """Sends a request twice: while commits fail, and after."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    async def write(self, status: int, method: str, path: str, **request: Any) -> Any:
        """Return the second answer, which must have ``status``: nothing of the first may stand in its way."""
        before = await _read_everything(self.deployment)
        with failing_commits():
            failed = await self.deployment.http.request(method, path, **request)
        assert failed.status_code == 503, (method, path, failed.status_code, failed.text)
        assert failed.headers["retry-after"] == "1"
        assert await _read_everything(self.deployment) == before, (method, path)
        answer = await self.deployment.http.request(method, path, **request)
        assert answer.status_code == status, (method, path, answer.text)
        assert "idempotency-replayed" not in answer.headers
        return answer.json() if answer.content else None


async def test_a_failed_commit_is_a_503_and_a_retry_with_the_same_key_works(deployment: Deployment) -> None:
    operator = await deployment.add_organization("operator", "operator")
    headers = await deployment.headers(operator, "admin") | {"Idempotency-Key": "retry-me"}
    made = await Writer(deployment).write(201, "POST", "/v1/organizations", json=NEW, headers=headers)
    listed = await deployment.http.get("/v1/organizations", headers=headers)
    assert [row["slug"] for row in listed.json()["data"]] == ["operator", "sample-broker"]
    path = f"/v1/organizations/{made['id']}/clients"
    await Writer(deployment).write(201, "POST", path, json={"name": "x", "scopes": ["issuer"]}, headers=headers)


async def test_a_client_is_not_acknowledged_without_a_commit(deployment: Deployment) -> None:
    operator = await deployment.add_organization("operator", "operator")
    headers = await deployment.headers(operator, "admin")
    path = f"/v1/organizations/{operator.org_id}/clients"
    with failing_commits():
        failed = await deployment.http.post(path, json={"name": "x", "scopes": ["admin"]}, headers=headers)
    assert failed.status_code == 503
    assert "client_secret" not in failed.text


async def test_issuing(deployment: Deployment) -> None:
    issuer = await add_issuer(deployment)
    wallet, write = issuing_support.Wallet(deployment, issuer), Writer(deployment).write
    access = await deployment.headers(issuer, "issuer")
    unwanted = await make_offer(deployment, issuer)
    await write(200, "DELETE", f"/v1/credential-offers/{unwanted['id']}", headers=access)
    made = await write(201, "POST", "/v1/credential-offers", json=OFFER, headers=access | {"Idempotency-Key": "one"})
    form = {
        "grant_type": PRE_AUTHORIZED_CODE_GRANT,
        "pre-authorized_code": await wallet.read_code(made),
    }
    token = (await write(200, "POST", f"{issuer_path(issuer)}/token", data=form))["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    asked = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    issued = await write(200, "POST", f"{issuer_path(issuer)}/credential", json=asked, headers=bearer)
    note = {"notification_id": issued["notification_id"], "event": "credential_accepted"}
    await write(204, "POST", f"{issuer_path(issuer)}/notification", json=note, headers=bearer)
    [granted] = (await deployment.http.get("/v1/credentials", headers=access)).json()["data"]
    change = {"status": "revoked", "reason": "withdrawn"}
    await write(200, "POST", f"/v1/credentials/{granted['id']}/status", json=change, headers=access)


async def test_a_credential_whose_signature_is_not_recorded_is_not_given_out(deployment: Deployment) -> None:
    issuer = await add_issuer(deployment)
    wallet = issuing_support.Wallet(deployment, issuer)
    made = await make_offer(deployment, issuer)
    token = (await wallet.request_token(made)).json()["access_token"]
    answers: list[httpx2.Response] = []
    for after in (1, 9):  # the intent is committed, the signature is not; then both are
        asked = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
        with failing_commits(after=after):
            answers.append(await wallet.request_credential(token, asked))
    assert [answer.status_code for answer in answers] == [503, 200]
    recorded = await _read_everything(deployment)
    assert len(recorded["credential_copy"]) == 2  # what may have been signed can be revoked
    assert sum("issuance.intent" in entry for entry in recorded["audit_entry"]) == 2
    assert sum("issuance.signed" in entry for entry in recorded["audit_entry"]) == 1


async def test_verifying(deployment: Deployment) -> None:
    market = await open_market(deployment)
    write, access = Writer(deployment).write, await deployment.headers(market.member, "verifier")
    await write(201, "PUT", "/v1/trusted-issuers/other", json=TRUST, headers=access)
    await write(204, "DELETE", "/v1/trusted-issuers/other", headers=access)
    await write(201, "PUT", "/v1/investors/ada", json={"frozen": True}, headers=access)
    body = {"purpose": "us.506c", "investor_ref": "grace"}
    made = await write(201, "POST", "/v1/presentation-requests", json=body, headers=access | {"Idempotency-Key": "one"})
    wallet = await market.scene.new_wallet(sub="subject-grace")
    before = await _read_everything(deployment)
    with failing_commits():
        assert (await wallet.answer(made)).status_code == 503
    assert await _read_everything(deployment) == before
    assert (await wallet.answer(made)).status_code == 200
    assert (await market.scene.platform.read(made["id"]))["state"] == "verified"


async def test_gating(deployment: Deployment) -> None:
    market = await open_market(deployment)
    venue = await deployment.add_organization("venue", "platform")
    await market.admit("ada")
    write, access = Writer(deployment).write, await deployment.headers(market.member, "gate")
    security = f"/v1/securities/{market.security_id}"
    await write(201, "PUT", "/v1/securities/other", json=SECURITY, headers=access)
    await write(201, "PUT", f"{security}/offerings/more", json=REG_D, headers=access)
    await write(201, "PUT", f"{security}/grants/{venue.org_id}", json={}, headers=access)
    await write(204, "DELETE", f"{security}/grants/{venue.org_id}", headers=access)
    await write(
        201, "POST", f"{security}/positions", json={"lots": [LOT]}, headers=access | {"Idempotency-Key": "lots"}
    )
    decisions = []
    for key in ("one", "two"):
        decided = await write(
            200, "POST", "/v1/transfers", json=market.buy("ada"), headers=access | {"Idempotency-Key": key}
        )
        assert decided["outcome"] == "permit"
        decisions.append(f"/v1/transfers/{decided['id']}")
    await write(200, "POST", f"{decisions[0]}/settle", json={"reference": "done"}, headers=access)
    await write(200, "POST", f"{decisions[1]}/void", json={"reason": "given up"}, headers=access)
    batch = {"transfers": [market.buy("ada") | {"idempotency_key": "three"}]}
    with failing_commits():
        answer = await deployment.http.post("/v1/transfers/batch", json=batch, headers=access)
    assert '"permit"' not in answer.text
    again = await deployment.http.post("/v1/transfers/batch", json=batch, headers=access)
    assert again.json()["data"][0]["outcome"] == "permit"
