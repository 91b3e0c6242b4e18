"""Wallets that say who they are in the token request (OpenID4VCI 1.0, appendix F.1, ``iss``)."""

import pytest

from tests.deployment import Deployment
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.prepared import prepared


@prepared
async def wallet(sqlite_deployment: Deployment) -> Wallet:
    return Wallet(sqlite_deployment, await add_issuer(sqlite_deployment))


@pytest.mark.parametrize(
    ("named", "claimed", "status"),
    [("my-wallet", "my-wallet", 200), ("my-wallet", None, 200), ("my-wallet", "other", 400), (None, "my-wallet", 400)],
)
async def test_a_proof_names_the_client_of_the_token_request_or_nobody(
    wallet: Wallet, named: str | None, claimed: str | None, status: int
) -> None:
    made = await make_offer(wallet.deployment, wallet.member, tx_code=False)
    more = {} if named is None else {"client_id": named}
    token = (await wallet.request_token(made, **more)).json()["access_token"]
    proof = wallet.prove(await wallet.fetch_nonce(), client_id=claimed)
    answer = await wallet.request_credential(token, {"credential_configuration_id": "kyc", "proofs": {"jwt": [proof]}})
    assert answer.status_code == status, answer.text
    assert answer.json().get("error") == (None if status == 200 else "invalid_proof")
