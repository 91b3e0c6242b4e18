"""Which wallet sends a request to the issuer's authorization server, and what it says as proof.

A wallet that says nothing is anonymous, or what it calls itself, unless that name is registered for a way of
authentication: then it has to use it.

Source: OpenID4VCI 1.0, section 6.1 and appendix E; RFC 6749, section 2.3; RFC 7521, section 4.2.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.certificates import load_leaf_key, read_pem_certificates, read_x5c, verify_chain
from service.credentials.client_assertion import (
    ASSERTION_TYPE,
    InvalidAssertionError,
    read_asserted_client,
    verify_client_assertion,
)
from service.credentials.jose import VerificationKey
from service.credentials.jwk_set import load_jwk_set, select_key
from service.credentials.wallet_attestation import (
    AttestedWallet,
    ClaimedAttestation,
    InvalidAttestationError,
    read_attestation,
    verify_attestation,
    verify_attestation_pop,
)
from service.errors import ProtocolError, VerificationError
from service.issuer.identity import Issuer
from service.keys import Signer
from service.storage.database import Database
from service.storage.spent_proofs import Proof, spend_proof
from service.storage.tables import WalletClient, WalletProvider
from service.web import nonces

NONE, PRIVATE_KEY_JWT, ATTESTATION = "none", "private_key_jwt", "attest_jwt_client_auth"
CHALLENGE_HEADER = "OAuth-Client-Attestation-Challenge"
_ATTESTATION_HEADER, _POP_HEADER = "oauth-client-attestation", "oauth-client-attestation-pop"
_CHALLENGE_PURPOSE = "attestation-challenge"


@dataclass(frozen=True, slots=True)
class WalletIdentity:
    """Which wallet sent a request.

    Attributes:
        client_id: What it is called; None if it is anonymous.
        method: ``none`` (nothing proves ``client_id``), ``private_key_jwt`` or ``attest_jwt_client_auth``.
        redirect_uris: Those that are registered, compared as texts; None if the wallet isn't registered.
        instance_jkt: Thumbprint of the attested key of this very instance; None if it isn't attested. What is given
            to an attested wallet (a code, a refresh token) is for this instance alone.
        dpop_bound: Whether it is registered to use DPoP with every token request. Source: RFC 9449, section 5.2.
    """

    client_id: str | None
    method: str
    redirect_uris: Sequence[str] | None
    instance_jkt: str | None = None
    dpop_bound: bool = False


async def authenticate_wallet(
    database: Database,
    signer: Signer,
    issuer: Issuer,
    *,
    form: Mapping[str, str],
    headers: Iterable[tuple[str, str]],
    now: datetime,
) -> WalletIdentity:
    """Find out which wallet sends a request to the token endpoint or the PAR endpoint.

    Args:
        form: Parameters of the body, none of them empty.
        headers: Every header of the request, names in lower case.

    Effects: the proof that the wallet sends is spent.

    Raises:
        ProtocolError: ``invalid_client`` (401), ``invalid_request``, or ``use_attestation_challenge``.
    """
    sent = list(headers)
    attestations, pops = (_values(sent, name) for name in (_ATTESTATION_HEADER, _POP_HEADER))
    _refuse_secrets(form, sent)
    if attestations or pops:
        if "client_assertion" in form or "client_assertion_type" in form:
            raise ProtocolError("invalid_request", "Use one way of client authentication.")
        return await _authenticate_attested(database, signer, issuer, form.get("client_id"), attestations, pops, now)
    if "client_assertion" in form or "client_assertion_type" in form:
        return await _authenticate_assertion(database, issuer, form, now)
    return await _identify(database, issuer, form.get("client_id"))


def make_challenge(signer: Signer, issuer: Issuer, *, now: datetime) -> str:
    """Make a challenge for the proof of an attestation to this issuer; nothing is stored."""
    return nonces.make_nonce(signer, purpose=_CHALLENGE_PURPOSE, owner=issuer.org_id, now=now)


def _values(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key == name]


def _refuse_secrets(form: Mapping[str, str], headers: Sequence[tuple[str, str]]) -> None:
    if _values(headers, "authorization"):
        raise ProtocolError(
            "invalid_client", "No wallet has a secret here.", status=401, challenge='Basic realm="issuer"'
        )
    if "client_secret" in form:
        raise ProtocolError("invalid_client", "No wallet has a secret here.", status=401)


async def _identify(database: Database, issuer: Issuer, client_id: str | None) -> WalletIdentity:
    if client_id is None:
        return WalletIdentity(None, NONE, None)
    async with database.reading() as session:
        row = await session.get(WalletClient, (issuer.org_id, client_id))
    if row is not None and row.token_endpoint_auth_method != NONE:
        raise ProtocolError("invalid_client", "This wallet has to authenticate itself.", status=401)
    if row is None:
        return WalletIdentity(client_id, NONE, None)
    return WalletIdentity(client_id, NONE, row.redirect_uris, dpop_bound=row.dpop_bound_access_tokens)


async def _authenticate_assertion(
    database: Database, issuer: Issuer, form: Mapping[str, str], now: datetime
) -> WalletIdentity:
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise InvalidAssertionError("The client assertion is not of the type jwt-bearer.")
    client_id = read_asserted_client(form["client_assertion"])
    if form.get("client_id", client_id) != client_id:
        raise InvalidAssertionError("The client assertion is another client's.")
    async with database.reading() as session:
        row = await session.get(WalletClient, (issuer.org_id, client_id))
    if row is None or row.token_endpoint_auth_method != PRIVATE_KEY_JWT:
        raise InvalidAssertionError("No wallet is registered here under this name with keys.")
    assertion = verify_client_assertion(
        form["client_assertion"],
        load_jwk_set(row.jwks),
        client_id=client_id,
        expected_audience=issuer.identifier,
        now=now,
    )
    proof = Proof(PRIVATE_KEY_JWT, client_id, assertion.jti, assertion.expires_at)
    async with database.transaction() as session:
        if not await spend_proof(session, issuer.org_id, proof):
            raise InvalidAssertionError("The client assertion was used before.")
    return WalletIdentity(client_id, PRIVATE_KEY_JWT, row.redirect_uris, dpop_bound=row.dpop_bound_access_tokens)


async def _authenticate_attested(
    database: Database,
    signer: Signer,
    issuer: Issuer,
    client_id: str | None,
    attestations: Sequence[str],
    pops: Sequence[str],
    now: datetime,
) -> WalletIdentity:
    if len(attestations) != 1 or len(pops) != 1:
        raise InvalidAttestationError("A wallet attestation comes with one proof of possession.")
    claimed = read_attestation(attestations[0])
    if client_id not in (None, claimed.client_id):
        raise InvalidAttestationError("The wallet attestation is another wallet's.")
    async with database.reading() as session:
        providers = await _list_providers(session, issuer.org_id, claimed.client_id)
        row = await session.get(WalletClient, (issuer.org_id, claimed.client_id))
    if row is not None and row.token_endpoint_auth_method != ATTESTATION:
        raise InvalidAttestationError("This wallet is registered for another way of authentication.")
    wallet = _verify_with_any(claimed, providers, now)
    pop = verify_attestation_pop(pops[0], wallet, expected_audience=issuer.identifier, now=now)
    _check_challenge(signer, issuer, pop.challenge, now)
    proof = Proof(ATTESTATION, wallet.thumbprint, pop.jti, pop.expires_at)
    async with database.transaction() as session:
        if not await spend_proof(session, issuer.org_id, proof):
            raise InvalidAttestationError("The proof of the wallet attestation was used before.")
    return WalletIdentity(
        wallet.client_id,
        ATTESTATION,
        None if row is None else row.redirect_uris,
        instance_jkt=wallet.thumbprint,
        dpop_bound=row is not None and row.dpop_bound_access_tokens,
    )


async def _list_providers(session: AsyncSession, org_id: str, client_id: str) -> list[WalletProvider]:
    rows = (await session.exec(select(WalletProvider).where(WalletProvider.org_id == org_id))).all()
    return [row for row in rows if client_id in row.client_ids]


def _verify_with_any(claimed: ClaimedAttestation, providers: Iterable[WalletProvider], now: datetime) -> AttestedWallet:
    """Verify with the key that the attestation means, of whichever provider is trusted for this wallet."""
    failure = InvalidAttestationError("No wallet provider that is trusted here signed the wallet attestation.")
    for provider in providers:
        try:
            key = _find_key(claimed, provider, now)
            if key is not None:
                return verify_attestation(claimed, key, now=now)
        except InvalidAttestationError as error:
            failure = error
    raise failure


def _find_key(claimed: ClaimedAttestation, provider: WalletProvider, now: datetime) -> VerificationKey | None:
    if provider.x509_anchors and claimed.x5c is not None:
        anchors = [each for pem in provider.x509_anchors for each in read_pem_certificates(pem)]
        try:
            chain = read_x5c(claimed.x5c)
            verify_chain(chain, anchors, now=now)
            return load_leaf_key(chain)
        except VerificationError as error:
            raise InvalidAttestationError(f"The wallet attestation is not valid: {error.detail}") from error
    return None if provider.jwks is None else select_key(load_jwk_set(provider.jwks), claimed.kid)


def _check_challenge(signer: Signer, issuer: Issuer, challenge: str | None, now: datetime) -> None:
    """Check a challenge that came back; wallets that asked for none are known by their ``jti`` alone."""
    if challenge is None:
        return
    ends_at = nonces.find_nonce_end(signer, challenge, purpose=_CHALLENGE_PURPOSE, owner=issuer.org_id, now=now)
    if ends_at is None:
        raise ProtocolError(
            "use_attestation_challenge",
            "The challenge is not one of ours, or it has expired.",
            headers={CHALLENGE_HEADER: make_challenge(signer, issuer, now=now)},
        )
