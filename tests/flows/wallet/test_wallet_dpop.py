"""The wallet binds its access tokens to a key where the issuer takes DPoP, and answers a nonce once."""

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from service.credentials.dpop import verify_dpop_proof
from service.fetch import Fetcher
from service.keys.keystore import UnknownKeyError
from service.wallet.errors import RefusedError, UnsupportedError
from service.wallet.store import Wallet
from tests.flows.wallet.test_wallet_receive import SERVER, receive
from tests.loopback import Received
from tests.wallet_parties import NOW, FakeIssuer

TOKEN, CREDENTIAL, NONCE = (f"/issuers/kyc/{name}" for name in ("token", "credential", "nonce"))


class BindingIssuer:
    """Asks for a nonce of its own at the token endpoint and for another at the credential endpoint."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self.issuer = issuer
        self.thumbprints: set[str] = set()
        self.token_type = "DPoP"
        self.nonces: Mapping[str, str] = {TOKEN: "as-1", CREDENTIAL: "rs-1"}
        issuer.routes[SERVER] = {
            "issuer": issuer.identifier,
            "token_endpoint": f"{issuer.identifier}/token",
            "dpop_signing_alg_values_supported": ["EdDSA", "ES256"],
        }
        issuer.routes[TOKEN] = self.give_token
        issuer.routes[CREDENTIAL] = self.give_credentials

    def _check(self, request: Received, access_token: str | None) -> bool:
        proof = verify_dpop_proof(
            request.headers["dpop"],
            expected_method="POST",
            expected_url=self.issuer.identifier.removesuffix("/issuers/kyc") + request.path,
            access_token=access_token,
            now=NOW,
        )
        self.thumbprints.add(proof.thumbprint)
        return proof.nonce == self.nonces[request.path]

    def give_token(self, request: Received) -> Any:
        if not self._check(request, None):
            return JSONResponse(
                {"error": "use_dpop_nonce"}, status_code=400, headers={"DPoP-Nonce": self.nonces[TOKEN]}
            )
        return self.issuer.token | {"token_type": self.token_type}

    def give_credentials(self, request: Received) -> Any:
        if request.headers["authorization"] != "DPoP token":
            return Response(status_code=403)
        if not self._check(request, "token"):
            headers = {"DPoP-Nonce": self.nonces[CREDENTIAL], "WWW-Authenticate": 'DPoP error="use_dpop_nonce"'}
            return Response(status_code=401, headers=headers)
        return self.issuer.give_credentials(request)


@pytest.fixture
def binding(issuer: FakeIssuer) -> BindingIssuer:
    return BindingIssuer(issuer)


async def test_every_request_proves_one_key_and_takes_up_the_nonce(
    wallet: Wallet, binding: BindingIssuer, fetcher: Fetcher
) -> None:
    issuer = binding.issuer
    await receive(wallet, issuer.deep_link(), fetcher)
    assert [len(issuer.requests_to(path)) for path in (TOKEN, CREDENTIAL)] == [2, 2]
    assert len(binding.thumbprints) == 1
    assert issuer.requests_to("/issuers/kyc/notification")[0].headers["authorization"] == "DPoP token"
    await receive(wallet, issuer.deep_link(), fetcher)
    assert len(binding.thumbprints) == 2  # nobody can link two offers by it


async def test_a_nonce_that_comes_beside_the_c_nonce_saves_a_round(
    wallet: Wallet, binding: BindingIssuer, fetcher: Fetcher
) -> None:
    issuer = binding.issuer
    give = issuer.routes[NONCE]
    issuer.routes[NONCE] = lambda request: JSONResponse(give(request), headers={"DPoP-Nonce": "rs-1"})
    await receive(wallet, issuer.deep_link(), fetcher)
    assert len(issuer.requests_to(CREDENTIAL)) == 1


async def test_a_server_that_never_has_enough_is_asked_twice(
    wallet: Wallet, binding: BindingIssuer, fetcher: Fetcher
) -> None:
    binding.issuer.routes[TOKEN] = JSONResponse(
        {"error": "use_dpop_nonce"}, status_code=400, headers={"DPoP-Nonce": "another"}
    )
    with pytest.raises(RefusedError, match="use_dpop_nonce"):
        await receive(wallet, binding.issuer.deep_link(), fetcher)
    assert len(binding.issuer.requests_to(TOKEN)) == 2


async def test_the_key_is_gone_afterwards(wallet: Wallet, binding: BindingIssuer, fetcher: Fetcher) -> None:
    await receive(wallet, binding.issuer.deep_link(), fetcher)
    binding.issuer.routes[CREDENTIAL] = Response(status_code=500)
    with pytest.raises(RefusedError):
        await receive(wallet, binding.issuer.deep_link(), fetcher)
    assert len(binding.thumbprints) == 2
    for kid in binding.thumbprints:
        with pytest.raises(UnknownKeyError):
            wallet.signing_function(kid)


async def test_a_bearer_token_is_used_as_one(wallet: Wallet, binding: BindingIssuer, fetcher: Fetcher) -> None:
    binding.token_type = "Bearer"
    binding.issuer.routes[CREDENTIAL] = binding.issuer.give_credentials
    await receive(wallet, binding.issuer.deep_link(), fetcher)
    (request,) = binding.issuer.requests_to(CREDENTIAL)
    assert request.headers["authorization"] == "Bearer token"
    assert "dpop" not in request.headers


async def test_a_bound_token_that_nobody_asked_for_is_of_no_use(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    issuer.token["token_type"] = "DPoP"
    with pytest.raises(UnsupportedError):
        await receive(wallet, issuer.deep_link(), fetcher)
