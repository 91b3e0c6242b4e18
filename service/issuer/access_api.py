"""How requests bring the access tokens of an issuer: as bearer tokens, or with a proof of the key behind them."""

from fastapi import Request

from service.credentials.dpop import DpopProof, InvalidDpopProofError
from service.errors import ProtocolError
from service.issuer.identity import Issuer
from service.issuer.tokens import PresentedToken, find_token, invalid_token
from service.web.context import Context
from service.web.dpop import UseDpopNonceError, carries_dpop, challenge_dpop, spend_request_proof, verify_request

_REALM = "issuer"


async def read_access_token(request: Request, context: Context, issuer: Issuer) -> PresentedToken:
    """Return the access token of a request for a protected resource.

    A bearer token is only read here; ``find_token`` looks it up. One with a proof is looked up at once, so that only
    proofs for a token that exists are kept.

    Effects: the DPoP proof is spent.

    Raises:
        ProtocolError: ``invalid_token``, ``invalid_dpop_proof`` or ``use_dpop_nonce``, 401 with a challenge, or
            ``invalid_request``: two tokens, of which whoever stands between may have read the other.

    Source: RFC 6750, sections 2.1 and 3; RFC 9449, section 7.
    """
    sent = request.headers.getlist("authorization")
    if len(sent) > 1:
        challenge = f'Bearer realm="{_REALM}", error="invalid_request"'
        raise ProtocolError("invalid_request", "The access token must be sent once.", challenge=challenge)
    if not sent:  # RFC 6750, section 3.1: a challenge without an error code, as nothing was wrong yet
        challenge = f'Bearer realm="{_REALM}", {challenge_dpop(realm=_REALM)}'
        raise ProtocolError("invalid_token", "An access token is needed.", status=401, challenge=challenge)
    scheme, _, token = sent[0].partition(" ")
    token = token.strip()
    if scheme.lower() not in ("bearer", "dpop") or not token:
        raise invalid_token("The access token must be sent as a bearer token or with DPoP.")
    if scheme.lower() == "bearer":
        return PresentedToken(token, dpop_jkt=None)
    try:
        proof = verify_request(context, request, access_token=token)
        presented = PresentedToken(token, dpop_jkt=proof.thumbprint)
        now = context.clock()
        await context.database.glance(lambda connection: find_token(connection, issuer.org_id, presented, now=now))
        await spend_request_proof(context, issuer.org_id, proof)
    except (InvalidDpopProofError, UseDpopNonceError) as error:
        challenge = challenge_dpop(realm=_REALM, error=error.code)
        raise ProtocolError(error.code, error.detail, status=401, challenge=challenge) from error
    return presented


def read_token_proof(request: Request, context: Context) -> DpopProof | None:
    """Return the proof that a request to a token endpoint brings, verified and not yet spent; None without one.

    Raises:
        ProtocolError: ``invalid_dpop_proof`` or ``use_dpop_nonce``.

    Source: RFC 9449, sections 5 and 8.
    """
    if not carries_dpop(request):
        return None
    try:
        return verify_request(context, request, access_token=None)
    except (InvalidDpopProofError, UseDpopNonceError) as error:
        raise ProtocolError(error.code, error.detail) from error


async def spend_token_proof(context: Context, issuer: Issuer, proof: DpopProof | None) -> None:
    """Use up what ``read_token_proof`` returned, once the client is known.

    Raises:
        ProtocolError: ``invalid_dpop_proof``: it was used before.
    """
    if proof is None:
        return
    try:
        await spend_request_proof(context, issuer.org_id, proof)
    except InvalidDpopProofError as error:
        raise ProtocolError(error.code, error.detail) from error
