"""Accounts of the people who work for an organisation: made, changed and disabled, never deleted.

The record names the account that acted by its id, so the id stays; the audit trail holds no name.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.sessions import end_sessions
from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import Account

OFFICER, APPROVER, AUDITOR, COMPLIANCE, ADMIN = "officer", "approver", "auditor", "compliance", "admin"
ROLES = (OFFICER, APPROVER, AUDITOR, COMPLIANCE, ADMIN)
LANGUAGES = ("en", "zh")
BY_BROWSER = "browser"
"""Instead of a language: the one that the person's browser asks for, until they choose."""
MAX_NAME = 200


class AccountInvalidError(InvalidInputError):
    """Name, roles or language of an account cannot be used."""

    code = "account_invalid"


class LastAdminError(ConflictError):
    """Nobody would be left who can manage the organisation's accounts."""

    code = "last_admin"


async def create_account(
    session: AsyncSession,
    *,
    org_id: str,
    name: str,
    roles: Collection[str],
    language: str = "en",
    actor: str,
    now: datetime,
) -> Account:
    """Record an account.

    Args:
        name: What colleagues call the person, 1 to 200 characters.
        roles: One or more of ``ROLES``.
        language: One of ``LANGUAGES``, or ``BY_BROWSER``.
        actor: Id of the account that does this, or ``command line``.

    Raises:
        AccountInvalidError: See there.
    """
    _check(name, roles, language)
    row = Account(
        org_id=org_id, id=new_id("acc"), name=name.strip(), roles=sort_roles(roles), language=language, created_at=now
    )
    session.add(row)
    _audit(session, row, "account.created", actor, now)
    return row


async def ensure_account(
    session: AsyncSession, *, org_id: str, name: str, roles: Collection[str], actor: str, now: datetime
) -> Account:
    """Return the enabled account with this name and these roles, made if need be; raises as ``create_account``.

    Nobody chose a language for one that is made, so its pages speak the browser's.
    """
    for row in await list_accounts(session, org_id):
        if row.name == name and row.roles == sort_roles(roles) and row.disabled_at is None:
            return row
    return await create_account(
        session, org_id=org_id, name=name, roles=roles, language=BY_BROWSER, actor=actor, now=now
    )


async def get_account(session: AsyncSession, org_id: str, account_id: str) -> Account:
    """Return one account.

    Raises:
        NotFoundError: None of this id, or another organisation's.
    """
    row = await session.get(Account, (org_id, account_id))
    if row is None:
        raise NotFoundError
    return row


async def list_accounts(session: AsyncSession, org_id: str) -> Sequence[Account]:
    """Return an organisation's accounts in the order in which they were made."""
    return (await session.exec(select(Account).where(Account.org_id == org_id).order_by(col(Account.id)))).all()


async def change_roles(
    session: AsyncSession, org_id: str, account_id: str, roles: Collection[str], *, actor: str, now: datetime
) -> Account:
    """Give an account other roles; they hold from the next request on.

    Raises:
        NotFoundError, AccountInvalidError, LastAdminError: See there.
    """
    row = await get_account(session, org_id, account_id)
    _check(row.name, roles, row.language)
    if ADMIN not in roles:
        await _check_admin_is_left(session, row)
    row.roles = sort_roles(roles)
    session.add(row)
    _audit(session, row, "account.changed", actor, now)
    return row


async def change_language(session: AsyncSession, org_id: str, account_id: str, language: str) -> None:
    """Set the language of the pages; a matter of taste, so it leaves no entry.

    Raises:
        NotFoundError, AccountInvalidError: See there.
    """
    row = await get_account(session, org_id, account_id)
    _check(row.name, row.roles, language)
    row.language = language
    session.add(row)


async def disable_account(session: AsyncSession, org_id: str, account_id: str, *, actor: str, now: datetime) -> Account:
    """Disable an account for good and sign it out everywhere; a second time changes nothing.

    Raises:
        NotFoundError, LastAdminError: See there.
    """
    row = await get_account(session, org_id, account_id)
    if row.disabled_at is not None:
        return row
    await _check_admin_is_left(session, row)
    row.disabled_at = now
    session.add(row)
    await end_sessions(session, org_id, account_id, now=now)
    _audit(session, row, "account.disabled", actor, now)
    return row


def describe_account(row: Account) -> dict[str, Any]:
    """Return an account as commands print it."""
    return {
        "id": row.id,
        "name": row.name,
        "roles": row.roles,
        "language": row.language,
        "created_at": row.created_at.isoformat(timespec="seconds"),
        "disabled_at": None if row.disabled_at is None else row.disabled_at.isoformat(timespec="seconds"),
    }


def sort_roles(roles: Collection[str]) -> list[str]:
    """Return roles in the order of ``ROLES``, each once."""
    return [role for role in ROLES if role in roles]


async def _check_admin_is_left(session: AsyncSession, row: Account) -> None:
    if ADMIN not in row.roles or row.disabled_at is not None:
        return
    others = [each for each in await list_accounts(session, row.org_id) if each.id != row.id]
    if not any(ADMIN in each.roles and each.disabled_at is None for each in others):
        raise LastAdminError("This is the organisation's last administrator; make another one first.")


def _check(name: str, roles: Collection[str], language: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise AccountInvalidError("name: 1 to 200 printable characters.")
    if not roles or not set(roles) <= set(ROLES):
        raise AccountInvalidError(f"roles: one or more of {', '.join(ROLES)}.")
    if language not in (*LANGUAGES, BY_BROWSER):
        raise AccountInvalidError(f"language: one of {', '.join(LANGUAGES)}.")


def _audit(session: AsyncSession, row: Account, kind: str, actor: str, now: datetime) -> None:
    record = {"actor": actor, "roles": row.roles}
    append_audit_entry(session, org_id=row.org_id, kind=kind, subject_id=row.id, record=record, recorded_at=now)
