"""Wallets that an issuer registers, and the makers of wallets whose attestations it believes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.certificates import CertificateInvalidError, is_authority, read_pem_certificates
from service.credentials.jose import MalformedJoseError
from service.credentials.jwk_set import load_jwk_set
from service.errors import InvalidInputError, NotFoundError
from service.issuer.wallet_clients import PRIVATE_KEY_JWT
from service.storage.audit import append_audit_entry
from service.storage.tables import WalletClient, WalletProvider
from service.web.instants import format_instant

# A browser runs what such an address holds, or shows it as a page of its own.
_DANGEROUS_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob", "filesystem", "about", "view-source"})
# They belong to programs that would take the code for a file, a letter or a number, and pass it on in the clear.
_FOREIGN_SCHEMES = frozenset(
    {"ftp", "ftps", "ldap", "ldaps", "mailto", "news", "sms", "ssh", "tel", "telnet", "ws", "wss"}
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_Row = TypeVar("_Row", WalletClient, WalletProvider)


class WalletClientInvalidError(InvalidInputError):
    """A redirect address is unsafe, or the keys don't fit the way of authentication."""

    code = "wallet_client_invalid"


class WalletProviderInvalidError(InvalidInputError):
    """The keys or certificates of the wallet provider can't be used."""

    code = "wallet_provider_invalid"


@dataclass(frozen=True, slots=True)
class WalletTerms:
    """A wallet's registration. ``jwks`` is there exactly for ``private_key_jwt``.

    Attributes:
        dpop_bound_access_tokens: Whether it always uses DPoP. Source: RFC 9449, section 5.2.
    """

    name: str
    redirect_uris: Sequence[str]
    token_endpoint_auth_method: str
    jwks: Mapping[str, Any] | None
    dpop_bound_access_tokens: bool


@dataclass(frozen=True, slots=True)
class ProviderTerms:
    """Whose attestations to believe, for a wallet in ``client_ids``.

    Attributes:
        jwks: Keys that sign them; None if certificates alone do.
        x509_anchors: PEM certificates of CAs that certify this provider's keys, and nobody else's; may be empty.
    """

    name: str
    client_ids: Sequence[str]
    jwks: Mapping[str, Any] | None
    x509_anchors: Sequence[str]


async def put_wallet_client(
    session: AsyncSession, org_id: str, client_id: str, terms: WalletTerms, now: datetime
) -> tuple[WalletClient, bool]:
    """Create or replace a registration; returns it and whether it is new.

    Raises:
        WalletClientInvalidError: See there.
    """
    _check_terms(terms)
    row = await session.get(WalletClient, (org_id, client_id))
    is_new = row is None
    row = row or WalletClient(org_id=org_id, client_id=client_id, updated_at=now, **asdict(terms))
    _put(session, row, asdict(terms), now)
    _record(session, org_id, "wallet_client.changed", client_id, {**asdict(terms), "change": "put"}, now)
    return row, is_new


async def put_wallet_provider(
    session: AsyncSession, org_id: str, provider_id: str, terms: ProviderTerms, now: datetime
) -> tuple[WalletProvider, bool]:
    """Create or replace a wallet provider; returns it and whether it is new.

    Raises:
        WalletProviderInvalidError: See there.
    """
    _check_provider(terms)
    row = await session.get(WalletProvider, (org_id, provider_id))
    is_new = row is None
    row = row or WalletProvider(org_id=org_id, id=provider_id, updated_at=now, **asdict(terms))
    _put(session, row, asdict(terms), now)
    _record(session, org_id, "wallet_provider.changed", provider_id, {**asdict(terms), "change": "put"}, now)
    return row, is_new


async def get_row(session: AsyncSession, table: type[_Row], org_id: str, row_id: str) -> _Row:
    """Return a wallet or a wallet provider of this issuer; raises NotFoundError."""
    row = await session.get(table, (org_id, row_id))
    if row is None:
        raise NotFoundError
    return row


async def delete_row(session: AsyncSession, table: type[_Row], org_id: str, row_id: str, now: datetime) -> None:
    """Forget a wallet or a wallet provider, from the next request on; raises NotFoundError."""
    await session.delete(await get_row(session, table, org_id, row_id))
    _record(session, org_id, f"{table.__tablename__}.changed", row_id, {"change": "delete"}, now)


async def page_wallet_clients(
    session: AsyncSession, org_id: str, *, after: str | None, limit: int
) -> Sequence[WalletClient]:
    """Return up to ``limit + 1`` registrations in order of ``client_id``."""
    query = select(WalletClient).where(WalletClient.org_id == org_id, col(WalletClient.client_id) > (after or ""))
    return (await session.exec(query.order_by(col(WalletClient.client_id)).limit(limit + 1))).all()


async def page_wallet_providers(
    session: AsyncSession, org_id: str, *, after: str | None, limit: int
) -> Sequence[WalletProvider]:
    """Return up to ``limit + 1`` wallet providers in order of id."""
    query = select(WalletProvider).where(WalletProvider.org_id == org_id, col(WalletProvider.id) > (after or ""))
    return (await session.exec(query.order_by(col(WalletProvider.id)).limit(limit + 1))).all()


def describe_wallet_client(row: WalletClient) -> dict[str, Any]:
    """Return the wire form of a registration."""
    return {
        "client_id": row.client_id,
        "name": row.name,
        "redirect_uris": row.redirect_uris,
        "token_endpoint_auth_method": row.token_endpoint_auth_method,
        "jwks": row.jwks,
        "dpop_bound_access_tokens": row.dpop_bound_access_tokens,
        "updated_at": format_instant(row.updated_at),
    }


def describe_wallet_provider(row: WalletProvider) -> dict[str, Any]:
    """Return the wire form of a wallet provider."""
    return {
        "id": row.id,
        "name": row.name,
        "client_ids": row.client_ids,
        "jwks": row.jwks,
        "x509_anchors": row.x509_anchors,
        "updated_at": format_instant(row.updated_at),
    }


def _check_provider(terms: ProviderTerms) -> None:
    if terms.jwks is None and not terms.x509_anchors:
        raise WalletProviderInvalidError("Either jwks or x509_anchors is needed.")
    try:
        if terms.jwks is not None:
            load_jwk_set(terms.jwks)
        authorities = [[is_authority(each) for each in read_pem_certificates(pem)] for pem in terms.x509_anchors]
    except (MalformedJoseError, CertificateInvalidError) as error:
        raise WalletProviderInvalidError(f"jwks or x509_anchors: {error.detail}") from error
    if any(found != [True] for found in authorities):
        raise WalletProviderInvalidError("Each of x509_anchors must be one certificate, of a CA.")


def _check_terms(terms: WalletTerms) -> None:
    if not all(map(is_safe_redirect, terms.redirect_uris)):
        raise WalletClientInvalidError(
            "redirect_uris: https addresses, http on loopback, or a scheme of the wallet's own; no fragment."
        )
    if (terms.jwks is not None) != (terms.token_endpoint_auth_method == PRIVATE_KEY_JWT):
        raise WalletClientInvalidError("jwks is needed for private_key_jwt, and for nothing else.")
    if terms.jwks is not None:
        try:
            load_jwk_set(terms.jwks)
        except MalformedJoseError as error:
            raise WalletClientInvalidError(f"jwks: {error.detail}") from error


def is_safe_redirect(uri: str) -> bool:
    """Tell whether a browser may be sent there. Source: RFC 6749, section 3.1.2; RFC 8252, section 7."""
    if not uri.isascii() or not uri.isprintable() or " " in uri or "#" in uri:
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    if parts.scheme in ("https", "http"):
        return (
            bool(parts.hostname)
            and "@" not in parts.netloc
            and (parts.scheme == "https" or parts.hostname in _LOOPBACK)
        )
    return bool(parts.scheme) and parts.scheme not in _DANGEROUS_SCHEMES | _FOREIGN_SCHEMES


def _put(session: AsyncSession, row: SQLModel, values: Mapping[str, Any], now: datetime) -> None:
    for name, value in {**values, "updated_at": now}.items():
        setattr(row, name, value)
    session.add(row)


def _record(
    session: AsyncSession, org_id: str, kind: str, subject_id: str, record: Mapping[str, Any], now: datetime
) -> None:
    append_audit_entry(session, org_id=org_id, kind=kind, subject_id=subject_id, record=record, recorded_at=now)
