"""The issuer's back office over HTTP."""

from typing import Any

import pytest

from tests.deployment import Deployment, Member
from tests.issuing_support import KYC_CLAIMS, Wallet, add_issuer, make_offer
from tests.prepared import prepared


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


class Office:
    """Calls /v1 as one issuer."""

    def __init__(self, deployment: Deployment, member: Member) -> None:
        self.deployment, self.member = deployment, member

    async def call(self, method: str, path: str, **values: Any) -> Any:
        headers = await self.deployment.headers(self.member, "issuer") | values.pop("headers", {})
        return await self.deployment.http.request(method, f"/v1/{path}", headers=headers, **values)

    async def issue(self, **changes: Any) -> str:
        """Issue a credential; returns its id."""
        made = await make_offer(self.deployment, self.member, **changes)
        assert (await Wallet(self.deployment, self.member).redeem(made)).status_code == 200
        offer = (await self.call("GET", f"credential-offers/{made['id']}")).json()
        credential_id: str = offer["credentials"][0]["id"]
        return credential_id

    async def set_status(self, credential_id: str, status: str, **headers: str) -> Any:
        body = {"status": status, "reason": "reviewed"}
        return await self.call("POST", f"credentials/{credential_id}/status", json=body, headers=headers)


@pytest.fixture
def office(sqlite_deployment: Deployment, member: Member) -> Office:
    return Office(sqlite_deployment, member)


async def test_the_answer_to_a_new_offer(office: Office) -> None:
    made = await make_offer(office.deployment, office.member)
    assert made.keys() == {"id", "credential_offer_uri", "deep_link", "web_link", "expires_at"}
    assert made["id"].startswith("offer_")
    assert made["deep_link"].startswith("openid-credential-offer://?credential_offer_uri=http%3A%2F%2F")
    assert made["expires_at"] == "2026-11-23T16:00:00Z"
    with_code = await make_offer(office.deployment, office.member, tx_code=True, expires_in=60)
    assert with_code["tx_code"].isdigit()
    assert with_code["expires_at"] == "2026-11-23T15:01:00Z"


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"claims": KYC_CLAIMS | {"favourite_colour": "red"}}, "claims_invalid", "/favourite_colour"),
        ({"claims": KYC_CLAIMS | {"verified_on": "2027-01-01"}}, "claims_invalid", "/verified_on"),
        ({"claims": KYC_CLAIMS | {"sub": "mine"}}, "claims_invalid", "/sub"),
        ({"credential_configuration_id": "passport"}, "credential_configuration_unknown", None),
        ({"credential_expires_on": "2026-11-22"}, "credential_expiry_invalid", None),
        ({"credential_expires_on": "soon"}, "invalid_input", None),
        ({"subject_ref": "a b"}, "invalid_input", None),
        ({"tx_code": "true"}, "invalid_input", None),
        ({"expires_in": 0}, "invalid_input", None),
        ({"expires_in": 7 * 86400 + 1}, "invalid_input", None),
        ({"unknown": 1}, "invalid_input", None),
    ],
)
async def test_offers_that_are_refused(office: Office, changes: dict[str, Any], code: str, path: str | None) -> None:
    body = {
        "credential_configuration_id": "kyc",
        "claims": KYC_CLAIMS,
        "subject_ref": "investor-1",
        "tx_code": False,
    }
    answer = await office.call("POST", "credential-offers", json=body | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.headers["content-type"] == "application/problem+json"
    if path is not None:
        assert path in {found["path"] for found in answer.json()["errors"]}
    assert "Canary" not in answer.text


async def test_attester_class_comes_from_the_organisation_and_cannot_differ(office: Office) -> None:
    claims = {
        "jurisdiction": "US",
        "category": "us.ai.net_worth",
        "method": "third_party",
        "steps_completed_on": "2026-11-20",
        "valid_until": "2027-01-31",
        "attester_class": "us_attorney",
    }
    body = {
        "credential_configuration_id": "qualified-investor",
        "claims": claims,
        "subject_ref": "investor-1",
        "tx_code": False,
    }
    answer = await office.call("POST", "credential-offers", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "claims_invalid")
    assert "/attester_class" in {found["path"] for found in answer.json()["errors"]}
    claims["attester_class"] = "us_cpa"
    assert (await office.call("POST", "credential-offers", json=body)).status_code == 201


async def test_a_retry_with_the_same_key_makes_no_second_offer(office: Office) -> None:
    body = {
        "credential_configuration_id": "kyc",
        "claims": KYC_CLAIMS,
        "subject_ref": "investor-1",
        "tx_code": True,
    }
    headers = {"Idempotency-Key": "once"}
    first = await office.call("POST", "credential-offers", json=body, headers=headers)
    again = await office.call("POST", "credential-offers", json=body, headers=headers)
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert again.headers["idempotency-replayed"] == "true"
    other = await office.call("POST", "credential-offers", json=body | {"tx_code": False}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_states_of_an_offer(office: Office) -> None:
    async def state(made: dict[str, Any]) -> str:
        found: str = (await office.call("GET", f"credential-offers/{made['id']}")).json()["state"]
        return found

    redeemed, cancelled, expired = [await make_offer(office.deployment, office.member) for _ in range(3)]
    assert await state(redeemed) == "pending"
    await Wallet(office.deployment, office.member).redeem(redeemed)
    assert (await office.call("DELETE", f"credential-offers/{cancelled['id']}")).json()["state"] == "cancelled"
    assert (await office.call("DELETE", f"credential-offers/{cancelled['id']}")).status_code == 200
    office.deployment.clock.advance(hours=1)
    assert [await state(made) for made in (redeemed, cancelled, expired)] == ["redeemed", "cancelled", "expired"]
    for made in (redeemed, expired):
        answer = await office.call("DELETE", f"credential-offers/{made['id']}")
        assert (answer.status_code, answer.json()["code"]) == (409, "offer_not_pending")


async def test_a_cancelled_offer_gives_nothing_even_to_a_token(office: Office) -> None:
    wallet = Wallet(office.deployment, office.member)
    made = await make_offer(office.deployment, office.member)
    token = (await wallet.request_token(made)).json()["access_token"]
    await office.call("DELETE", f"credential-offers/{made['id']}")
    assert (await office.deployment.http.get(made["credential_offer_uri"])).status_code == 404
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    answer = await wallet.request_credential(token, body)
    assert (answer.status_code, answer.json()["error"]) == (400, "credential_request_denied")


async def test_a_wallet_with_a_token_may_finish_a_late_offer(office: Office) -> None:
    wallet = Wallet(office.deployment, office.member)
    made = await make_offer(office.deployment, office.member, expires_in=10)
    token = (await wallet.request_token(made)).json()["access_token"]
    office.deployment.clock.advance(seconds=60)
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    assert (await wallet.request_credential(token, body)).status_code == 200


async def test_credentials_are_listed_by_person_and_page(office: Office) -> None:
    ids = [await office.issue(subject_ref=ref) for ref in ("investor-1", "investor-2", "investor-1")]
    one = await office.call("GET", "credentials", params={"subject_ref": "investor-1"})
    assert [row["id"] for row in one.json()["data"]] == [ids[0], ids[2]]
    first = await office.call("GET", "credentials", params={"limit": 2})
    assert [row["id"] for row in first.json()["data"]] == ids[:2]
    assert 'rel="next"' in first.headers["link"]
    rest = await office.call("GET", "credentials", params={"limit": 2, "after": first.json()["next"]})
    assert ([row["id"] for row in rest.json()["data"]], rest.json()["next"]) == (ids[2:], None)


async def test_a_credential_shows_metadata_and_no_claims(office: Office) -> None:
    credential_id = await office.issue()
    answer = await office.call("GET", f"credentials/{credential_id}")
    row = answer.json()
    assert row.pop("offer_id").startswith("offer_")
    assert row == {
        "id": credential_id,
        "credential_configuration_id": "kyc",
        "subject_ref": "investor-1",
        "status": "valid",
        "status_reason": None,
        "status_changed_at": None,
        "issued_at": "2026-11-23T15:00:00Z",
        "expires_at": "2027-11-23T00:00:00Z",
    }


async def test_revoked_is_final_and_suspended_is_not(office: Office) -> None:
    credential_id = await office.issue()
    for status in ("suspended", "valid", "suspended", "revoked", "revoked"):
        answer = await office.set_status(credential_id, status)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    for status in ("valid", "suspended"):
        answer = await office.set_status(credential_id, status)
        assert (answer.status_code, answer.json()["code"]) == (409, "credential_revoked")
    row = (await office.call("GET", f"credentials/{credential_id}")).json()
    assert (row["status"], row["status_reason"]) == ("revoked", "reviewed")
    assert row["status_changed_at"] == "2026-11-23T15:00:00Z"


@pytest.mark.parametrize(
    "body", [{"status": "gone", "reason": "x"}, {"status": "revoked"}, {"status": "revoked", "reason": ""}]
)
async def test_statuses_that_are_refused(office: Office, body: dict[str, str]) -> None:
    answer = await office.call("POST", f"credentials/{await office.issue()}/status", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_another_issuers_things_look_unknown(office: Office) -> None:
    credential_id = await office.issue()
    made = await make_offer(office.deployment, office.member)
    stranger = Office(office.deployment, await add_issuer(office.deployment, "other"))
    for method, path, known, body in (
        ("GET", "credential-offers/{}", made["id"], None),
        ("DELETE", "credential-offers/{}", made["id"], None),
        ("GET", "credentials/{}", credential_id, None),
        ("POST", "credentials/{}/status", credential_id, {"status": "revoked", "reason": "x"}),
    ):
        answers = [await stranger.call(method, path.format(id_), json=body) for id_ in (known, "unknown")]
        bodies = [{name: value for name, value in answer.json().items() if name != "instance"} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert bodies[0] == bodies[1]
    assert (await stranger.call("GET", "credentials")).json() == {"data": [], "next": None}


async def test_the_back_office_needs_its_scope(office: Office) -> None:
    venue = await office.deployment.add_organization("venue", "platform")
    headers = await office.deployment.headers(venue, "verifier")
    for method, path in (("GET", "credentials"), ("POST", "credential-offers"), ("GET", "credentials/x")):
        url = f"/v1/{path}"
        assert (await office.deployment.http.request(method, url, json={})).status_code == 401
        assert (await office.deployment.http.request(method, url, json={}, headers=headers)).status_code == 403


async def test_an_unsigned_intent_is_no_credential(office: Office) -> None:
    wallet = Wallet(office.deployment, office.member)
    made = await make_offer(office.deployment, office.member)
    token = (await wallet.request_token(made)).json()["access_token"]
    keys = office.deployment.settings.data_dir / "keys"
    jwks = (await office.deployment.http.get("/issuers/kyc/jwks")).json()
    key_file = keys / f"{jwks['keys'][0]['kid']}.key"
    moved = key_file.rename(key_file.with_suffix(".gone"))  # nothing was signed yet, so the file is not in memory
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    assert (await wallet.request_credential(token, body)).status_code == 500
    assert (await office.call("GET", "credentials")).json()["data"] == []
    moved.rename(key_file)
    body["proofs"] = {"jwt": [wallet.prove(await wallet.fetch_nonce())]}
    assert (await wallet.request_credential(token, body)).status_code == 200
    assert len((await office.call("GET", "credentials")).json()["data"]) == 1
