"""Issue a credential: record what will be signed, commit, sign, record that it was signed, answer.

A crash leaves at worst an intent without a signature. Its status indices are taken, so nothing that may have been
signed escapes revocation, and the wallet may try again with the same access token and a fresh nonce: the retry adds
copies to the same grant. An offer is redeemed once: of two requests that run together, one is answered. After that
the claims are gone from storage, and a lost answer needs a new offer.

Source: OpenID4VCI 1.0, sections 8 and 9; SD-JWT VC draft, section 2.2.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.credential_types import CREDENTIAL_TYPES, CredentialExpiryError, compute_expiry
from service.credentials.disclosures import conceal_claims
from service.credentials.jose import b64url_encode, jwk_thumbprint, sign_jws, write_json
from service.credentials.key_proof import InvalidNonceError
from service.credentials.sd_jwt import SD_JWT_VC_TYP, SdJwt
from service.errors import ProtocolError
from service.issuer.claims import coarsen
from service.issuer.credential_request import (
    ProvedKeys,
    check_authorized,
    proof_error,
    read_credential_request,
    verify_proofs,
)
from service.issuer.credential_response import CredentialResponse, defer_credentials, grant_credentials
from service.issuer.deferral import (
    begin_transaction,
    check_transaction,
    describe_wait,
    invalid_transaction,
    read_deferred_request,
)
from service.issuer.encryption import Message, ResponseEncryption, open_message
from service.issuer.identity import Issuer
from service.issuer.key_attestations import read_policy
from service.issuer.nonces import spend_nonces
from service.issuer.offers import HELD, PENDING, REDEEMED, close_offer, offer_state, read_offered_claims
from service.issuer.status_indices import allocate_indices
from service.issuer.subjects import get_subject
from service.issuer.tokens import PresentedToken, find_token
from service.issuer.wallet_grants import is_withdrawn
from service.keys import Signer
from service.storage.audit import append_audit_entry
from service.storage.database import Database
from service.storage.ids import new_id
from service.storage.tables import (
    Credential,
    CredentialCopy,
    CredentialOffer,
    IssuanceNotification,
    IssuanceToken,
    SigningKey,
)
from service.web.signing import ISSUER, build_header, get_active_key

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Draft:
    """One copy, complete but for its signature."""

    number: int
    payload: Mapping[str, Any]
    disclosures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Intent:
    credential_id: str
    offer_id: str
    header: Mapping[str, Any]
    kid: str
    drafts: tuple[_Draft, ...]
    is_deferred: bool


async def issue_credential(
    database: Database, signer: Signer, issuer: Issuer, *, token: PresentedToken, message: Message, now: datetime
) -> CredentialResponse:
    """Answer a Credential Request.

    Raises:
        ProtocolError: As sections 8.3.1.1 and 8.3.1.2 name them; ``credential_request_denied`` if the offer is closed.
    """
    async with database.reading() as session:
        access = await find_token(session, issuer.org_id, token, now=now)
        offer = await session.get_one(CredentialOffer, (issuer.org_id, access.offer_id))
        policy = await read_policy(session, issuer.org_id)
        body = await open_message(session, signer, issuer, message, now=now)
    request = read_credential_request(body, is_encrypted=message.is_encrypted)
    check_authorized(request, offered_id=offer.credential_configuration_id, identifier=access.credential_identifier)
    proved = verify_proofs(
        request.proofs,
        signer=signer,
        issuer=issuer,
        client_id=access.client_id,
        policy=policy,
        requirement=policy.required.get(offer.credential_configuration_id),
        now=now,
    )
    async with database.transaction() as session:
        await _spend_nonces(session, issuer, proved)
        offer = await _lock_offer(session, issuer.org_id, access.offer_id)
        _check_pending(offer, now)
        await _check_renewal(session, offer, access)
        if offer.deferral == HELD:
            return defer_credentials(begin_transaction(session, offer, proved.jwks, now=now), request.encryption)
        intent = await _record_intent(session, signer, issuer, offer, proved.jwks, now)
    return await _finish(database, signer, issuer, intent, request.encryption, now)


async def issue_deferred(
    database: Database, signer: Signer, issuer: Issuer, *, token: PresentedToken, message: Message, now: datetime
) -> CredentialResponse:
    """Answer a Deferred Credential Request; any access token of the offer will do, not only the first.

    Raises:
        ProtocolError: As section 9.3 names them.
    """
    async with database.reading() as session:
        access = await find_token(session, issuer.org_id, token, now=now)
        body = await open_message(session, signer, issuer, message, now=now)
    request = read_deferred_request(body, is_encrypted=message.is_encrypted)
    async with database.transaction() as session:
        offer = await _lock_offer(session, issuer.org_id, access.offer_id)
        check_transaction(offer, request.transaction_id)
        _check_pending(offer, now, is_deferred=True)
        await _check_renewal(session, offer, access)
        if offer.deferral == HELD:
            return defer_credentials(describe_wait(offer, request.transaction_id, now), request.encryption)
        intent = await _record_intent(session, signer, issuer, offer, offer.holder_jwks or [], now, is_deferred=True)
    return await _finish(database, signer, issuer, intent, request.encryption, now)


async def _spend_nonces(session: AsyncSession, issuer: Issuer, proved: ProvedKeys) -> None:
    try:
        await spend_nonces(session, issuer.org_id, proved.nonces)
    except InvalidNonceError as error:
        raise proof_error(error) from error


async def _record_intent(
    session: AsyncSession,
    signer: Signer,
    issuer: Issuer,
    offer: CredentialOffer,
    holder_jwks: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    is_deferred: bool = False,
) -> _Intent:
    claims = await read_offered_claims(session, signer, offer)
    credential = await _get_or_add_grant(session, offer, claims, now)
    key = await get_active_key(session, issuer.org_id, ISSUER)
    shared = await _build_shared_claims(session, issuer, offer, credential, claims, now)
    list_id, indices = await allocate_indices(session, issuer.org_id, len(holder_jwks), now=now)
    first_number = await _next_copy_number(session, credential)
    drafts = []
    for number, (jwk, index) in enumerate(zip(holder_jwks, indices, strict=True), first_number):
        status = {"status_list": {"idx": index, "uri": issuer.status_list_uri(list_id)}}
        drafts.append(_draft(number, offer, {**shared, "cnf": {"jwk": dict(jwk)}, "status": status}))
        session.add(_copy_row(credential, number, list_id, index, jwk, key))
    record = {
        "offer_id": offer.id,
        "credential_configuration_id": offer.credential_configuration_id,
        "kid": key.kid,
        "copies": [
            {"number": draft.number, "payload_sha256": hashlib.sha256(write_json(draft.payload)).hexdigest()}
            for draft in drafts
        ],
    }
    _audit(session, credential.org_id, credential.id, "issuance.intent", record, now)
    header = build_header(key, typ=SD_JWT_VC_TYP, certified_at=now)
    return _Intent(credential.id, offer.id, header, key.kid, tuple(drafts), is_deferred)


async def _finish(
    database: Database,
    signer: Signer,
    issuer: Issuer,
    intent: _Intent,
    encryption: ResponseEncryption | None,
    now: datetime,
) -> CredentialResponse:
    signed = _sign(signer, intent)
    async with database.transaction() as session:
        notification_id = await _record_signed(session, issuer, intent, signed, now)
    return grant_credentials([copy.without_key_binding() for copy in signed], notification_id, encryption)


def _sign(signer: Signer, intent: _Intent) -> tuple[SdJwt, ...]:
    sign = signer.signing_function(intent.kid)
    return tuple(
        SdJwt(sign_jws(intent.header, draft.payload, sign), draft.disclosures, None) for draft in intent.drafts
    )


async def _record_signed(
    session: AsyncSession, issuer: Issuer, intent: _Intent, signed: Sequence[SdJwt], now: datetime
) -> str | None:
    offer = await _lock_offer(session, issuer.org_id, intent.offer_id)
    _check_pending(offer, now, is_deferred=intent.is_deferred)
    digests = {}
    for draft, copy in zip(intent.drafts, signed, strict=True):
        row = await session.get_one(CredentialCopy, (issuer.org_id, intent.credential_id, draft.number))
        row.signed_at = now
        row.digest = digests[draft.number] = "sha256:" + hashlib.sha256(copy.issuer_jwt.encode()).hexdigest()
        session.add(row)
    close_offer(session, offer, REDEEMED, "offer.redeemed", now)
    record = {"copies": [{"number": number, "digest": digest} for number, digest in digests.items()]}
    _audit(session, issuer.org_id, intent.credential_id, "issuance.signed", record, now)
    if intent.is_deferred:
        return None  # a library of many wallets refuses a deferred response that names one, and the credential is lost
    notification = IssuanceNotification(
        org_id=issuer.org_id,
        notification_id=secrets.token_urlsafe(16),
        credential_id=intent.credential_id,
    )
    session.add(notification)
    return notification.notification_id


async def _lock_offer(session: AsyncSession, org_id: str, offer_id: str) -> CredentialOffer:
    query = select(CredentialOffer).where(CredentialOffer.org_id == org_id, CredentialOffer.id == offer_id)
    return (await session.exec(query.with_for_update())).one()


def _check_pending(offer: CredentialOffer, now: datetime, *, is_deferred: bool = False) -> None:
    if is_deferred and offer.state == REDEEMED:
        raise invalid_transaction()
    if offer_state(offer, now) != PENDING or not offer.sealed_claims:
        raise ProtocolError("credential_request_denied", "The offer was redeemed or withdrawn.")


async def _check_renewal(session: AsyncSession, offer: CredentialOffer, access: IssuanceToken) -> None:
    if await is_withdrawn(session, offer, access.grant_id):
        raise ProtocolError("credential_request_denied", "The credential that this one renews was revoked.")


async def _get_or_add_grant(
    session: AsyncSession, offer: CredentialOffer, claims: Mapping[str, Any], now: datetime
) -> Credential:
    query = select(Credential).where(Credential.org_id == offer.org_id, Credential.offer_id == offer.id)
    row = (await session.exec(query)).first()
    if row is not None:
        return row
    row = Credential(
        org_id=offer.org_id,
        id=new_id("cred"),
        offer_id=offer.id,
        credential_configuration_id=offer.credential_configuration_id,
        subject_ref=offer.subject_ref,
        created_at=now,
        expires_at=_compute_expiry(offer, claims, now),
    )
    session.add(row)
    return row


def _compute_expiry(offer: CredentialOffer, claims: Mapping[str, Any], now: datetime) -> datetime:
    try:
        expires_at = compute_expiry(
            offer.credential_configuration_id,
            claims,
            issued_at=coarsen(now),
            credential_expires_on=offer.credential_expires_on,
        )
    except CredentialExpiryError:
        expires_at = now
    if expires_at <= now:
        raise ProtocolError("credential_request_denied", "The credential would have expired already.")
    return expires_at


async def _build_shared_claims(
    session: AsyncSession,
    issuer: Issuer,
    offer: CredentialOffer,
    credential: Credential,
    claims: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    kind = CREDENTIAL_TYPES[offer.credential_configuration_id]
    shared = {
        "iss": issuer.identifier,
        "vct": kind.vct,
        "iat": int(coarsen(now).timestamp()),
        "exp": int(credential.expires_at.timestamp()),
        **claims,
    }
    if "sub" in kind.service_claims:
        shared["sub"] = await get_subject(session, offer.org_id, offer.subject_ref, now=now)
    return shared


def _draft(number: int, offer: CredentialOffer, claims: Mapping[str, Any]) -> _Draft:
    disclosable = CREDENTIAL_TYPES[offer.credential_configuration_id].disclosable
    payload, disclosures = conceal_claims(claims, disclosable=disclosable, new_salt=_new_salt)
    return _Draft(number, payload, tuple(disclosures))


def _new_salt() -> str:
    return b64url_encode(secrets.token_bytes(SALT_BYTES))


def _copy_row(
    credential: Credential, number: int, list_id: str, index: int, jwk: Mapping[str, Any], key: SigningKey
) -> CredentialCopy:
    return CredentialCopy(
        org_id=credential.org_id,
        credential_id=credential.id,
        copy_number=number,
        status_list_id=list_id,
        status_index=index,
        holder_thumbprint=jwk_thumbprint(jwk),
        issuer_kid=key.kid,
    )


async def _next_copy_number(session: AsyncSession, credential: Credential) -> int:
    query = (
        select(CredentialCopy.copy_number)
        .where(CredentialCopy.org_id == credential.org_id, CredentialCopy.credential_id == credential.id)
        .order_by(col(CredentialCopy.copy_number).desc())
        .limit(1)
    )
    last = (await session.exec(query)).first()
    return 1 if last is None else last + 1


def _audit(
    session: AsyncSession, org_id: str, subject_id: str, kind: str, record: Mapping[str, Any], now: datetime
) -> None:
    append_audit_entry(session, org_id=org_id, kind=kind, subject_id=subject_id, record=record, recorded_at=now)
