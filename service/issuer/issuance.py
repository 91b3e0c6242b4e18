"""Issue a credential: record what will be signed, commit, sign, record that it was signed, answer.

A crash leaves at worst an intent without a signature. Its status indices are taken, so nothing that may have been
signed escapes revocation, and the wallet may try again with the same access token and a fresh nonce: the retry adds
copies to the same grant. An offer is redeemed once: of two requests that run together, one is answered. After that
the offer is empty, and a lost answer needs a new one; what was granted stays sealed for the person.

Source: OpenID4VCI 1.0, sections 8 and 9.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.configurations import CONFIGURATIONS
from service.credentials.credential import StatusReference
from service.credentials.credential_types import CredentialExpiryError, compute_expiry
from service.credentials.jose import jwk_thumbprint, write_json
from service.credentials.key_proof import InvalidNonceError
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
from service.issuer.credential_rows import Grant, find_grant
from service.issuer.deferral import (
    begin_transaction,
    check_transaction,
    describe_wait,
    invalid_transaction,
    read_deferred_request,
)
from service.issuer.drafts import Draft, Statement
from service.issuer.encryption import Message, ResponseEncryption, open_message
from service.issuer.grant_claims import seal_grant_claims
from service.issuer.identity import Issuer
from service.issuer.key_attestations import AttestationPolicy, read_policy
from service.issuer.nonces import spend_nonces
from service.issuer.offer_rows import Offer, get_offer_row, lock_offer
from service.issuer.offers import HELD, PENDING, REDEEMED, close_offer, offer_state, open_offered_claims
from service.issuer.signatures import SignedCopy, sign_drafts
from service.issuer.status_indices import allocate_indices
from service.issuer.subjects import get_subject, open_person_key
from service.issuer.tokens import Access, PresentedToken, find_token
from service.issuer.wallet_grants import is_withdrawn
from service.keys import Signer
from service.storage.audit import write_audit_entry
from service.storage.core import insert_rows, read_values, update_rows
from service.storage.database import Database
from service.storage.due_events import plan_credential_expiry, plan_due_events
from service.storage.ids import new_id
from service.storage.outbox import build_event, plan_events
from service.storage.prepared import execute_together
from service.storage.rows import find_rows
from service.storage.subject_keys import DataKey
from service.storage.tables import (
    Credential,
    CredentialCopy,
    IssuanceNotification,
)
from service.web.instants import format_instant
from service.web.signing import ISSUER, ActiveKey, find_active_key


@dataclass(frozen=True, slots=True)
class _Intent:
    credential_id: str
    offer_id: str
    configuration_id: str
    header: Mapping[str, Any]
    key: ActiveKey
    drafts: tuple[Draft, ...]
    is_deferred: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Situation:
    """What is read before anything is verified; the offer is read again under its lock."""

    access: Access
    offer: Offer
    policy: AttestationPolicy


async def issue_credential(
    database: Database, signer: Signer, issuer: Issuer, *, token: PresentedToken, message: Message, now: datetime
) -> CredentialResponse:
    """Answer a Credential Request.

    Raises:
        ProtocolError: As sections 8.3.1.1 and 8.3.1.2 name them; ``credential_request_denied`` if the offer is closed.
    """
    found = await database.glance(lambda connection: _read_situation(connection, issuer, token, now))
    access, offer = found.access, found.offer
    body = await _open(database, signer, issuer, message, now)
    request = read_credential_request(body, is_encrypted=message.is_encrypted)
    check_authorized(request, offered_id=offer.credential_configuration_id, identifier=access.credential_identifier)
    proved = verify_proofs(
        request.proofs,
        signer=signer,
        issuer=issuer,
        client_id=access.client_id,
        policy=found.policy,
        requirement=found.policy.required.get(offer.credential_configuration_id),
        now=now,
    )

    async def begin(connection: AsyncConnection) -> _Intent | Mapping[str, Any]:
        await _spend_nonces(connection, issuer, proved)
        offer = await lock_offer(connection, issuer.org_id, access.offer_id)
        _check_pending(offer, now)
        await _check_renewal(connection, offer, access)
        if offer.deferral == HELD:
            return await begin_transaction(connection, offer, proved.jwks, now=now)
        return await _record_intent(connection, signer, issuer, offer, proved.jwks, now)

    return await _finish(database, signer, issuer, await database.write(begin), request.encryption, now)


async def issue_deferred(
    database: Database, signer: Signer, issuer: Issuer, *, token: PresentedToken, message: Message, now: datetime
) -> CredentialResponse:
    """Answer a Deferred Credential Request; any access token of the offer will do, not only the first.

    Raises:
        ProtocolError: As section 9.3 names them.
    """
    access = await database.glance(lambda connection: find_token(connection, issuer.org_id, token, now=now))
    body = await _open(database, signer, issuer, message, now)
    request = read_deferred_request(body, is_encrypted=message.is_encrypted)

    async def begin(connection: AsyncConnection) -> _Intent | Mapping[str, Any]:
        offer = await lock_offer(connection, issuer.org_id, access.offer_id)
        check_transaction(offer, request.transaction_id)
        _check_pending(offer, now, is_deferred=True)
        await _check_renewal(connection, offer, access)
        if offer.deferral == HELD:
            return describe_wait(offer, request.transaction_id, now)
        return await _record_intent(connection, signer, issuer, offer, offer.holder_jwks or [], now, is_deferred=True)

    return await _finish(database, signer, issuer, await database.write(begin), request.encryption, now)


async def _read_situation(
    connection: AsyncConnection, issuer: Issuer, token: PresentedToken, now: datetime
) -> _Situation:
    access = await find_token(connection, issuer.org_id, token, now=now)
    offer = await get_offer_row(connection, issuer.org_id, access.offer_id)
    return _Situation(access, offer, await read_policy(connection, issuer.org_id))


async def _open(database: Database, signer: Signer, issuer: Issuer, message: Message, now: datetime) -> bytes:
    if not message.is_encrypted:
        return message.content
    async with database.reading() as session:
        return await open_message(session, signer, issuer, message, now=now)


async def _spend_nonces(connection: AsyncConnection, issuer: Issuer, proved: ProvedKeys) -> None:
    try:
        await spend_nonces(connection, issuer.org_id, proved.nonces)
    except InvalidNonceError as error:
        raise proof_error(error) from error


async def _record_intent(
    connection: AsyncConnection,
    signer: Signer,
    issuer: Issuer,
    offer: Offer,
    holder_jwks: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    is_deferred: bool = False,
) -> _Intent:
    person_key = await open_person_key(connection, signer, offer.org_id, offer.subject_ref)
    claims = open_offered_claims(person_key, offer)
    granted = await find_grant(connection, org_id=offer.org_id, offer_id=offer.id)
    grant = granted or await _add_grant(connection, person_key, offer, claims, now)
    key = await find_active_key(connection, issuer.org_id, ISSUER)
    statement = await _build_statement(connection, issuer, offer, grant, claims, now)
    list_id, indices = await allocate_indices(connection, issuer.org_id, len(holder_jwks), now=now)
    first_number = 1 if granted is None else await _next_copy_number(connection, grant)
    drafts, copies = [], []
    for number, (jwk, index) in enumerate(zip(holder_jwks, indices, strict=True), first_number):
        status = StatusReference(issuer.status_list_uri(list_id), index)
        drafts.append(statement.draft(number, jwk, status))
        copies.append(_copy_row(grant, number, list_id, index, jwk, key))
    await insert_rows(connection, CredentialCopy, copies)
    record = {
        "offer_id": offer.id,
        "credential_configuration_id": offer.credential_configuration_id,
        "kid": key.kid,
        "copies": [
            {"number": draft.number, "payload_sha256": hashlib.sha256(write_json(draft.payload)).hexdigest()}
            for draft in drafts
        ],
    }
    await _audit(connection, grant.org_id, grant.id, "issuance.intent", record, now)
    return _Intent(
        grant.id,
        offer.id,
        offer.credential_configuration_id,
        statement.build_header(key, now),
        key,
        tuple(drafts),
        is_deferred,
        grant.expires_at,
    )


async def _finish(
    database: Database,
    signer: Signer,
    issuer: Issuer,
    begun: _Intent | Mapping[str, Any],
    encryption: ResponseEncryption | None,
    now: datetime,
) -> CredentialResponse:
    """Answer with what the recorded intent is about, or with what to wait for."""
    if not isinstance(begun, _Intent):
        return defer_credentials(begun, encryption)
    sign = signer.signing_function(begun.key.kid)
    signed = await sign_drafts(begun.configuration_id, begun.header, begun.drafts, begun.key, sign)
    notification_id = await database.write(lambda connection: _record_signed(connection, issuer, begun, signed, now))
    return grant_credentials([copy.credential for copy in signed], notification_id, encryption)


async def _record_signed(
    connection: AsyncConnection, issuer: Issuer, intent: _Intent, signed: Sequence[SignedCopy], now: datetime
) -> str | None:
    offer = await lock_offer(connection, issuer.org_id, intent.offer_id)
    _check_pending(offer, now, is_deferred=intent.is_deferred)
    digests = {copy.number: copy.digest for copy in signed}
    key = {"org_id": issuer.org_id, "credential_id": intent.credential_id}
    rows = [{**key, "copy_number": number, "signed_at": now, "digest": digest} for number, digest in digests.items()]
    await update_rows(connection, CredentialCopy, rows)
    await close_offer(connection, offer, REDEEMED, "offer.redeemed", now)
    record = {"copies": [{"number": number, "digest": digest} for number, digest in digests.items()]}
    await _audit(connection, issuer.org_id, intent.credential_id, "issuance.signed", record, now)
    await _tell(connection, issuer.org_id, intent, now)
    if intent.is_deferred:
        return None  # a library of many wallets refuses a deferred response that names one, and the credential is lost
    notification_id = secrets.token_urlsafe(16)
    await insert_rows(connection, IssuanceNotification, [{**key, "notification_id": notification_id}])
    return notification_id


async def _tell(connection: AsyncConnection, org_id: str, intent: _Intent, now: datetime) -> None:
    """Write the event, and ahead those of the expiry."""
    data = {
        "credential_id": intent.credential_id,
        "credential_configuration_id": intent.configuration_id,
        "credential_offer_id": intent.offer_id,
        "expires_at": format_instant(intent.expires_at),
    }
    subject = f"credential/{intent.credential_id}"
    event = build_event(org_id=org_id, kind="credential.issued", data=data, subject=subject, now=now)
    ahead = plan_credential_expiry(
        org_id=org_id,
        credential_id=intent.credential_id,
        configuration_id=intent.configuration_id,
        issued_at=now,
        expires_at=intent.expires_at,
    )
    changes = [plan_events([event]), plan_due_events(ahead, connection.dialect.name)]
    await execute_together(connection, changes)


def _check_pending(offer: Offer, now: datetime, *, is_deferred: bool = False) -> None:
    if is_deferred and offer.state == REDEEMED:
        raise invalid_transaction()
    if offer_state(offer, now) != PENDING or not offer.sealed_claims:
        raise ProtocolError("credential_request_denied", "The offer was redeemed or withdrawn.")


async def _check_renewal(connection: AsyncConnection, offer: Offer, access: Access) -> None:
    if await is_withdrawn(connection, offer, access.grant_id):
        raise ProtocolError("credential_request_denied", "The credential that this one renews was revoked.")


async def _add_grant(
    connection: AsyncConnection, person_key: DataKey, offer: Offer, claims: Mapping[str, Any], now: datetime
) -> Grant:
    grant = Grant(
        org_id=offer.org_id,
        id=new_id("cred"),
        offer_id=offer.id,
        credential_configuration_id=offer.credential_configuration_id,
        subject_ref=offer.subject_ref,
        created_at=now,
        expires_at=_compute_expiry(offer, claims, now),
    )
    sealed_claims = seal_grant_claims(person_key, grant.org_id, grant.id, claims)
    await insert_rows(connection, Credential, [read_values(grant) | {"sealed_claims": sealed_claims}])
    return grant


def _compute_expiry(offer: Offer, claims: Mapping[str, Any], now: datetime) -> datetime:
    try:
        expires_at = compute_expiry(
            CONFIGURATIONS[offer.credential_configuration_id].kind.name,
            claims,
            issued_at=coarsen(now),
            credential_expires_on=offer.credential_expires_on,
        )
    except CredentialExpiryError:
        expires_at = now
    if expires_at <= now:
        raise ProtocolError("credential_request_denied", "The credential would have expired already.")
    return expires_at


async def _build_statement(
    connection: AsyncConnection,
    issuer: Issuer,
    offer: Offer,
    grant: Grant,
    claims: Mapping[str, Any],
    now: datetime,
) -> Statement:
    configuration = CONFIGURATIONS[offer.credential_configuration_id]
    if "sub" in configuration.kind.service_claims:
        claims = {**claims, "sub": await get_subject(connection, offer.org_id, offer.subject_ref, now=now)}
    return Statement(configuration, issuer, claims, coarsen(now), grant.expires_at)


def _copy_row(
    grant: Grant, number: int, list_id: str, index: int, jwk: Mapping[str, Any], key: ActiveKey
) -> dict[str, Any]:
    return {
        "org_id": grant.org_id,
        "credential_id": grant.id,
        "copy_number": number,
        "status_list_id": list_id,
        "status_index": index,
        "holder_thumbprint": jwk_thumbprint(jwk),
        "issuer_kid": key.kid,
    }


@dataclass(frozen=True, slots=True)
class _Copy:
    """See ``tables.CredentialCopy``."""

    copy_number: int


async def _next_copy_number(connection: AsyncConnection, grant: Grant) -> int:
    found = await find_rows(connection, _Copy, CredentialCopy, {"org_id": grant.org_id, "credential_id": grant.id})
    return max((copy.copy_number for copy in found), default=0) + 1


async def _audit(
    connection: AsyncConnection, org_id: str, subject_id: str, kind: str, record: Mapping[str, Any], now: datetime
) -> None:
    await write_audit_entry(connection, org_id=org_id, kind=kind, subject_id=subject_id, record=record, recorded_at=now)
