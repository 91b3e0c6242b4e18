"""Passkeys: registered by somebody who is signed in, then the everyday way in.

Sources: W3C Web Authentication Level 3, sections 7.1 (registering) and 7.2 (signing in); the library does their steps.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import webauthn
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from service.accounts.sessions import BY_PASSKEY, digest_secret, end_sessions, start_session
from service.errors import ConflictError, InvalidInputError, NotFoundError, UnauthorizedError
from service.keys import Signer
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import Account, Passkey, SpentNonce
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web.nonces import find_nonce_end, make_nonce

MOST = 20  # a person has some devices, and a page has to list them
MAX_NAME = 100
_REGISTER, _SIGN_IN = "passkey-registration", "passkey-sign-in"


class PasskeyRefusedError(UnauthorizedError):
    """What the browser sent proves no passkey of an account that can sign in, or its challenge is not open any more."""

    code = "passkey_refused"


class PasskeyCopiedError(UnauthorizedError):
    """The passkey's counter went back: somebody else may have a copy of it."""

    code = "passkey_copied"


class PasskeyKnownError(ConflictError):
    """The passkey is registered already, or the account has as many as it can."""

    code = "passkey_known"


class PasskeyNameError(InvalidInputError):
    """The name of a passkey cannot be used."""

    code = "passkey_name_invalid"


def make_registration_options(
    signer: Signer, account: Account, known: Sequence[Passkey], *, base_url: str, browser: str, now: datetime
) -> str:
    """Return the JSON that the browser makes a passkey by; nothing is stored.

    Args:
        account: Whose passkey it will be.
        known: Those that the account has, of which no second one is made on the same device.
        browser: Secret of the browser that asks; its answer counts from there alone.
    """
    options = webauthn.generate_registration_options(
        rp_id=_host_of(base_url),
        rp_name="Goodstanding",
        user_id=account.id.encode(),
        user_name=account.name,
        challenge=base64url_to_bytes(_make_challenge(signer, _REGISTER, browser, now)),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in known],
    )
    return webauthn.options_to_json(options)


async def register_passkey(
    session: AsyncSession,
    signer: Signer,
    account: Account,
    credential: str,
    *,
    name: str,
    base_url: str,
    browser: str,
    now: datetime,
) -> Passkey:
    """Record the passkey that a browser made.

    Args:
        credential: JSON of the browser's ``PublicKeyCredential``.
        name: What the person calls the device; 1 to 100 characters.
        browser: See ``make_registration_options``.

    Raises:
        PasskeyRefusedError: See there; nothing can be done in the transaction after it.
        PasskeyKnownError, PasskeyNameError: See there.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise PasskeyNameError("name: 1 to 100 printable characters.")
    if len(await list_passkeys(session, account.org_id, account.id)) >= MOST:
        raise PasskeyKnownError(f"An account has {MOST} passkeys at most.")
    challenge = await _spend_challenge(session, signer, credential, _REGISTER, browser, now)
    try:
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=_host_of(base_url),
            expected_origin=base_url,
            require_user_verification=True,
        )
    except Exception as error:  # the library lets much through that its parsers raise on hostile input
        raise PasskeyRefusedError("The passkey could not be registered.") from error
    taken = select(Passkey.id).where(Passkey.credential_id == verified.credential_id)
    if (await session.exec(taken)).first() is not None:
        raise PasskeyKnownError("This passkey is registered already.")
    row = Passkey(
        org_id=account.org_id,
        id=new_id("pk"),
        account_id=account.id,
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=name.strip(),
        created_at=now,
    )
    session.add(row)
    _audit(session, row, "account.passkey_added", now)
    return row


def make_sign_in_options(signer: Signer, *, base_url: str, browser: str, now: datetime) -> str:
    """Return the JSON that the browser asks for a passkey by: any that it has for us; nothing is stored."""
    options = webauthn.generate_authentication_options(
        rp_id=_host_of(base_url),
        challenge=base64url_to_bytes(_make_challenge(signer, _SIGN_IN, browser, now)),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


async def sign_in_with_passkey(
    session: AsyncSession, signer: Signer, credential: str, *, base_url: str, browser: str, now: datetime
) -> str:
    """Sign in whoever has the passkey; returns the secret for the cookie.

    Raises:
        PasskeyRefusedError: See there; nothing can be done in the transaction after it.
        PasskeyCopiedError: See there.
    """
    challenge = await _spend_challenge(session, signer, credential, _SIGN_IN, browser, now)
    passkey, account = await _find_owner(session, credential)
    try:
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=_host_of(base_url),
            expected_origin=base_url,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # compared below, where it has an error of its own
            require_user_verification=True,
        )
    except Exception as error:  # the library lets much through that its parsers raise on hostile input
        raise PasskeyRefusedError("The passkey was not accepted.") from error
    if (verified.new_sign_count or passkey.sign_count) and verified.new_sign_count <= passkey.sign_count:
        raise PasskeyCopiedError("The passkey's counter went back; it may have been copied.")
    passkey.sign_count, passkey.used_at = verified.new_sign_count, now
    session.add(passkey)
    return await start_session(session, account, method=BY_PASSKEY, now=now)


async def list_passkeys(session: AsyncSession, org_id: str, account_id: str) -> Sequence[Passkey]:
    """Return an account's passkeys in the order in which they were made."""
    of_account = (Passkey.org_id == org_id, Passkey.account_id == account_id)
    return (await session.exec(select(Passkey).where(*of_account).order_by(col(Passkey.id)))).all()


async def remove_passkey(
    session: AsyncSession, org_id: str, account_id: str, passkey_id: str, *, now: datetime, browser_session: str = ""
) -> None:
    """Forget a passkey, and sign its account out everywhere else: a device that was lost may be signed in still.

    Args:
        browser_session: Secret of the session that asks, which goes on.

    Raises:
        NotFoundError: The account has none of this id.
    """
    row = await session.get(Passkey, (org_id, passkey_id))
    if row is None or row.account_id != account_id:
        raise NotFoundError
    await session.delete(row)
    await end_sessions(session, org_id, account_id, now=now, but=browser_session)
    _audit(session, row, "account.passkey_removed", now)


def _host_of(base_url: str) -> str:
    return urlsplit(base_url).hostname or ""


def _make_challenge(signer: Signer, purpose: str, browser: str, now: datetime) -> str:
    return make_nonce(signer, purpose=purpose, owner=digest_secret(browser), now=now)


async def _spend_challenge(
    session: AsyncSession, signer: Signer, credential: str, purpose: str, browser: str, now: datetime
) -> bytes:
    """Return the challenge that the browser signed, if it is ours, for this, from this browser, and not used before."""
    try:
        sent = json.loads(credential)["response"]["clientDataJSON"]
        challenge = json.loads(base64url_to_bytes(sent))["challenge"]
        ends_at = find_nonce_end(signer, challenge, purpose=purpose, owner=digest_secret(browser), now=now)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise PasskeyRefusedError("The answer of the passkey cannot be read.") from None
    if ends_at is None:
        raise PasskeyRefusedError("The challenge is not open; start again.")
    session.add(SpentNonce(org_id=SYSTEM_ORG_ID, nonce_sha256=digest_secret(challenge), expires_at=ends_at))
    try:
        await session.flush()
    except IntegrityError:
        raise PasskeyRefusedError("The challenge was used before; start again.") from None
    return base64url_to_bytes(challenge)


async def _find_owner(session: AsyncSession, credential: str) -> tuple[Passkey, Account]:
    """Return the passkey that the answer names and its account, which the device has to name too."""
    sent: dict[str, Any] = json.loads(credential)
    try:
        credential_id = base64url_to_bytes(sent["rawId"])
        user_handle = base64url_to_bytes(sent["response"]["userHandle"]).decode()
    except (ValueError, TypeError, KeyError, AttributeError):
        raise PasskeyRefusedError("The answer of the passkey cannot be read.") from None
    query = (
        select(Passkey, Account)
        .join(Account, (col(Account.org_id) == Passkey.org_id) & (col(Account.id) == Passkey.account_id))
        .where(Passkey.credential_id == credential_id, col(Account.disabled_at).is_(None))
        .with_for_update()
    )
    found = (await session.exec(query)).first()
    if found is None or found[1].id != user_handle:
        raise PasskeyRefusedError("The passkey was not accepted.")
    return found[0], found[1]


def _audit(session: AsyncSession, row: Passkey, kind: str, now: datetime) -> None:
    append_audit_entry(
        session,
        org_id=row.org_id,
        kind=kind,
        subject_id=row.account_id,
        record={"passkey_id": row.id},
        recorded_at=now,
    )
