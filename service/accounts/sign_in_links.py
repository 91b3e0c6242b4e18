"""Links that sign somebody in once: for the first time, and for whoever lost their passkey.

Opening the link shows a page with a button; only pressing it spends the link, so that programs that look at links in
messages spend none.
"""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.sessions import BY_LINK, digest_secret, start_session
from service.errors import ConflictError, NotFoundError
from service.storage.audit import append_audit_entry
from service.storage.tables import Account, SignInLink

LIFETIME = timedelta(minutes=15)
LONGEST_LIFETIME = timedelta(days=7)
SIGN_IN_PATH = "/console/sign-in/link"


class AccountDisabledError(ConflictError):
    """The account is disabled."""

    code = "account_disabled"


class LinkUnusableError(NotFoundError):
    """The sign-in link is unknown, was used, or has expired; nobody is told which."""

    code = "sign_in_link_unusable"


def make_sign_in_link(
    session: AsyncSession,
    account: Account,
    *,
    base_url: str,
    actor: str,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> str:
    """Record a link that signs ``account`` in once, and return its address, which is shown now and never again.

    Args:
        account: From ``get_account``, ``create_account`` or ``ensure_account``.
        base_url: Of the deployment, without a slash at its end.
        actor: Id of the account that asks, or ``command line``.
        lifetime: How long it can be used; at most ``LONGEST_LIFETIME``.

    Raises:
        AccountDisabledError: See there.
        ValueError: The lifetime is no time, or too long.
    """
    if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise ValueError("a sign-in link lives up to seven days")
    if account.disabled_at is not None:
        raise AccountDisabledError("The account is disabled.")
    token = secrets.token_urlsafe(32)
    session.add(
        SignInLink(
            org_id=account.org_id,
            token_sha256=digest_secret(token),
            account_id=account.id,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    append_audit_entry(
        session,
        org_id=account.org_id,
        kind="account.link_made",
        subject_id=account.id,
        record={"actor": actor, "expires_at": (now + lifetime).isoformat(timespec="seconds")},
        recorded_at=now,
    )
    return f"{base_url}{SIGN_IN_PATH}/{token}"


async def look_at_link(session: AsyncSession, token: str, *, now: datetime) -> Account:
    """Return whom a link would sign in; it stays as it is.

    Raises:
        LinkUnusableError: See there.
    """
    query = (
        select(Account)
        .join(SignInLink, (col(SignInLink.org_id) == Account.org_id) & (col(SignInLink.account_id) == Account.id))
        .where(
            SignInLink.token_sha256 == digest_secret(token),
            col(SignInLink.used_at).is_(None),
            SignInLink.expires_at > now,
            col(Account.disabled_at).is_(None),
        )
    )
    account = (await session.exec(query)).first()
    if account is None:
        raise LinkUnusableError("This sign-in link can't be used: it was used before, or it has expired.")
    return account


async def spend_sign_in_link(session: AsyncSession, token: str, *, now: datetime) -> str:
    """Sign in by a link, which is spent; returns the secret for the cookie.

    Raises:
        LinkUnusableError: See there; of two that come at once, one gets this.
    """
    account = await look_at_link(session, token, now=now)
    spent = await session.exec(
        update(SignInLink)
        .where(col(SignInLink.token_sha256) == digest_secret(token), col(SignInLink.used_at).is_(None))
        .values(used_at=now)
    )
    if spent.rowcount != 1:
        raise LinkUnusableError("This sign-in link can't be used: it was used before, or it has expired.")
    return await start_session(session, account, method=BY_LINK, now=now)
