"""Verifier attestations: what a third party says of us to wallets, bound to one of our keys."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.jose import (
    InvalidClaimsError,
    MalformedJoseError,
    check_times,
    jwk_thumbprint,
    load_key,
    parse_json,
    parse_jws,
    read_numeric_date,
)
from service.errors import InvalidInputError, NotFoundError
from service.storage.audit import append_audit_entry
from service.storage.tables import VerifierAttestation
from service.verifier.models import MAX_ATTESTATION
from service.web.instants import format_instant
from service.web.signing import VERIFIER, get_active_key

ATTESTATION_TYP = "verifier-attestation+jwt"


class VerifierAttestationInvalidError(InvalidInputError):
    """No verifier attestation that wallets could accept from us, whatever its issuer's signature is worth to them."""

    code = "verifier_attestation_invalid"


async def put_attestation(session: AsyncSession, org_id: str, token: str, now: datetime) -> VerifierAttestation:
    """Keep the attestation of the key that signs requests now, in place of an older one.

    Its signature is for wallets to check: who they trust to attest verifiers is not ours to say.

    Raises:
        VerifierAttestationInvalidError: Another type, no ``iss`` or ``sub``, expired, of another key than the active
            one, or with ``redirect_uris``, which our response addresses, each for one request, cannot be among.
        NoSigningKeyError: The organisation has no verifier key.

    Source: OpenID4VP 1.0, sections 5.9.3 and 12.
    """
    key = await get_active_key(session, org_id, VERIFIER)
    claims = _read_claims(token, now)
    if _read_confirmed_key(claims) != key.kid:
        raise VerifierAttestationInvalidError("cnf.jwk is not the key that signs your requests.")
    expires_at = read_numeric_date(claims, "exp")
    assert expires_at is not None
    row = VerifierAttestation(
        org_id=org_id,
        kid=key.kid,
        token=token,
        subject=_read_text(claims, "sub"),
        issuer=_read_text(claims, "iss"),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        updated_at=now,
    )
    kept = await session.merge(row)
    record = {"issuer": row.issuer, "subject": row.subject, "expires_at": format_instant(row.expires_at)}
    append_audit_entry(
        session, org_id=org_id, kind="verifier.attested", subject_id=key.kid, record=record, recorded_at=now
    )
    return kept


async def find_attestation(session: AsyncSession, org_id: str) -> VerifierAttestation:
    """Return the attestation of the active key; raises NotFoundError."""
    key = await get_active_key(session, org_id, VERIFIER)
    row = await session.get(VerifierAttestation, (org_id, key.kid))
    if row is None:
        raise NotFoundError
    return row


def describe_attestation(row: VerifierAttestation) -> dict[str, Any]:
    """Return the wire form."""
    return {
        "kid": row.kid,
        "client_id": f"verifier_attestation:{row.subject}",
        "issuer": row.issuer,
        "expires_at": format_instant(row.expires_at),
        "updated_at": format_instant(row.updated_at),
    }


def _read_claims(token: str, now: datetime) -> Mapping[str, Any]:
    try:
        jws = parse_jws(token, max_bytes=MAX_ATTESTATION)
        claims = parse_json(jws.payload)
        if jws.header.get("typ") != ATTESTATION_TYP or not isinstance(claims, dict):
            raise VerifierAttestationInvalidError(f"The attestation must be a JWT of the type {ATTESTATION_TYP}.")
        check_times(claims, now=now, leeway=now - now, require_exp=True)
    except (MalformedJoseError, InvalidClaimsError) as error:
        raise VerifierAttestationInvalidError(f"The attestation cannot be used: {error.detail}") from error
    if "redirect_uris" in claims:
        raise VerifierAttestationInvalidError("An attestation with redirect_uris does not fit our response addresses.")
    return claims


def _read_confirmed_key(claims: Mapping[str, Any]) -> str:
    match claims.get("cnf"):
        case {"jwk": dict(jwk)}:
            try:
                return jwk_thumbprint(load_key(jwk).jwk)
            except MalformedJoseError as error:
                raise VerifierAttestationInvalidError(f"cnf.jwk cannot be used: {error.detail}") from error
    raise VerifierAttestationInvalidError("The attestation has no cnf.jwk.")


def _read_text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise VerifierAttestationInvalidError(f"The attestation has no {name}.")
    return value
