"""Find the key that an issuer signs credentials and status lists with.

Issuers of this deployment are read from the database. Others are fetched, and only if the platform trusts them: a
presented credential must not make us call an address of its own choosing, nor tell an issuer who is looked at.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.x509 import Certificate
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.certificates import (
    check_names,
    load_leaf_key,
    read_pem_certificates,
    read_x5c,
    verify_chain,
)
from service.credentials.did import UnknownKeyError, resolve_did_jwk, resolve_did_key, select_verification_key
from service.credentials.did_web import did_web_url
from service.credentials.jose import VerificationKey, load_key, parse_json
from service.credentials.sd_jwt import read_issuer
from service.errors import MalformedError, UnavailableError, VerificationError
from service.fetch import FetchError
from service.storage.cache import keep_document
from service.storage.tables import CachedDocument, Organization, SigningKey, TrustedIssuer
from service.storage.trust import normalize_issuer
from service.web.context import Context
from service.web.signing import ISSUER, is_published, list_published_keys

KEYS_MAX_AGE = timedelta(minutes=5)
# An unknown kid may mean that the issuer has rotated; asking again at once is allowed this often.
KEYS_RETRY_AFTER = timedelta(seconds=30)
MAX_KEYS = 100
# Issuers round the times in credentials down, so that copies cannot be linked by them; to the day, as we do.
COARSENESS = timedelta(days=1)


class IssuerKeyUnknownError(VerificationError):
    """The issuer publishes no such key, or its metadata do not hold together."""

    code = "issuer_key_unknown"
    check = "issuer"


class IssuerKeyRetiredError(VerificationError):
    """The credential says that it was signed after the issuer had retired the key."""

    code = "issuer_key_retired"
    check = "issuer"


class IssuerKeyBackdatedError(VerificationError):
    """The credential says that it was signed before the key was the issuer's."""

    code = "issuer_key_backdated"
    check = "issuer"


class IssuerCertificateMissingError(VerificationError):
    """The platform asks for a certificate of this issuer, and the token brings none."""

    code = "issuer_certificate_missing"
    check = "issuer"


class IssuerNotFetchedError(VerificationError):
    """The issuer is neither of this deployment nor trusted, so its keys were not asked for."""

    code = "issuer_untrusted"
    check = "issuer_trusted"


class IssuerUnavailableError(UnavailableError):
    """The issuer's keys could not be fetched."""

    code = "issuer_unavailable"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A key that an issuer publishes or had certified.

    Attributes:
        key: The key.
        retired_at: Set for one of ours that signs no more.
        known_from: Before this it is known not to have been the issuer's; None if nothing is known.
    """

    key: VerificationKey
    retired_at: datetime | None = None
    known_from: datetime | None = None

    def check_signing_time(self, issued_at: datetime | None) -> None:
        """Refuse a signature that claims to be younger than the key's retirement, or older than the key.

        Raises:
            IssuerKeyRetiredError, IssuerKeyBackdatedError: See there.
        """
        if self.known_from is not None and issued_at is not None and issued_at + COARSENESS < self.known_from:
            raise IssuerKeyBackdatedError("The credential says that it is older than the key that signed it.")
        if self.retired_at is not None and (issued_at is None or issued_at > self.retired_at):
            raise IssuerKeyRetiredError("The credential was signed with a key that had been retired.")


@dataclass(slots=True)
class KeyFinder:
    """Finds issuers' keys for one request to us; a key asked for twice is looked up once.

    Attributes:
        context: Database and fetcher.
        org_id: The platform that asks, owner of the copies.
        trusted: Its trusted issuers, the only ones that may be fetched.
        now: Decides whether a copy is fresh and which of our keys are published.
    """

    context: Context
    org_id: str
    trusted: Sequence[TrustedIssuer]
    now: datetime
    _found: dict[tuple[str, str], IssuerKey] = field(default_factory=dict)

    async def find(self, issuer: str, kid: Any, x5c: Any = None) -> IssuerKey:
        """Return the issuer's key called ``kid``; the name is compared exactly and never interpreted.

        Where the platform's list has trust anchors for the issuer, the key is the one that ``x5c`` certifies, and
        ``kid`` means nothing. Elsewhere ``x5c`` means nothing.

        Args:
            issuer: ``iss`` as the credential says, not verified.
            kid: ``kid`` as the header says, not verified; None if it has none.
            x5c: ``x5c`` as the header says, not verified; None if it has none.

        Raises:
            IssuerKeyUnknownError, IssuerNotFetchedError, IssuerCertificateMissingError: See there.
            CertificateInvalidError, CertificateUntrustedError, CertificateNameError: See there.
            IssuerUnavailableError: The metadata could not be fetched.

        Source: SD-JWT VC draft, section "JWT VC Issuer Metadata"; DID Core 1.0.
        """
        if kid is not None and not isinstance(kid, str):
            raise IssuerKeyUnknownError("The kid is not a text.")
        if anchors := self._list_anchors(issuer):
            return _find_certified_key(issuer, x5c, anchors, self.now)
        place = (issuer, kid or "")
        if place not in self._found:
            self._found[place] = await self._look_up(issuer, kid)
        return self._found[place]

    def _list_anchors(self, issuer: str) -> list[Certificate]:
        url = normalize_issuer(issuer)
        if url.startswith(f"{self.context.base_url}/issuers/"):
            return []
        rows = [row for row in self.trusted if row.x509_anchors and normalize_issuer(row.issuer) == url]
        return [each for row in rows for pem in row.x509_anchors or () for each in read_pem_certificates(pem)]

    async def load_own(self, session: AsyncSession, documents: Iterable[str]) -> None:
        """Look up, in one query, the keys of those issuers of credentials that are in this deployment.

        What cannot be read, and issuers elsewhere, are left for ``find``.
        """
        own_prefix = f"{self.context.base_url}/issuers/"
        wanted = defaultdict[str, set[str]](set)
        for issuer in {_peek_issuer(document) for document in documents} - {None}:
            assert issuer is not None
            url = normalize_issuer(issuer)
            if url.startswith(own_prefix):
                wanted[url.removeprefix(own_prefix)].add(issuer)
        if not wanted:
            return
        query = (
            select(Organization, SigningKey)
            .join(SigningKey, col(SigningKey.org_id) == col(Organization.id))
            .where(col(Organization.slug).in_(wanted), SigningKey.purpose == ISSUER, is_published(self.now))
        )
        for organization, row in (await session.exec(query)).all():
            if "issuer" in organization.roles:
                found = IssuerKey(load_key(row.public_jwk, alg=row.alg, kid=row.kid), row.retired_at)
                names = (row.kid, f"{organization.did}#{row.kid}")
                self._found |= {(issuer, name): found for issuer in wanted[organization.slug] for name in names}

    async def _look_up(self, issuer: str, kid: str | None) -> IssuerKey:
        url = normalize_issuer(issuer)
        own_prefix = f"{self.context.base_url}/issuers/"
        if url.startswith(own_prefix):
            async with self.context.database.reading() as session:
                return await _find_own_key(session, url.removeprefix(own_prefix), kid, self.now)
        if issuer.startswith(("did:key:", "did:jwk:")):
            return IssuerKey(_select_from_did(_resolve_locally(issuer), issuer, kid))
        if not any(normalize_issuer(row.issuer) == url for row in self.trusted):
            raise IssuerNotFetchedError("The issuer is not on the list of trusted issuers.")
        return IssuerKey(await _find_foreign_key(self.context, self.org_id, issuer, kid, self.now))


def _find_certified_key(issuer: str, x5c: Any, anchors: Sequence[Certificate], now: datetime) -> IssuerKey:
    if x5c is None:
        raise IssuerCertificateMissingError("The issuer's signatures must come with a certificate (x5c).")
    chain = read_x5c(x5c)
    anchor = verify_chain(chain, anchors, now=now)
    check_names(chain, anchor, expected_names=(issuer, normalize_issuer(issuer)))
    return IssuerKey(load_leaf_key(chain), known_from=chain[0].not_valid_before_utc)


def _peek_issuer(document: str) -> str | None:
    try:
        return read_issuer(document)[0]
    except (VerificationError, MalformedError):
        return None


async def _find_own_key(session: AsyncSession, slug: str, kid: str | None, now: datetime) -> IssuerKey:
    organization = (await session.exec(select(Organization).where(Organization.slug == slug))).first()
    if organization is not None and "issuer" in organization.roles:
        for row in await list_published_keys(session, organization.id, [ISSUER], now):
            if kid in (row.kid, f"{organization.did}#{row.kid}"):
                return IssuerKey(load_key(row.public_jwk, alg=row.alg, kid=row.kid), row.retired_at)
    raise IssuerKeyUnknownError("The issuer publishes no such key.")


def _resolve_locally(did: str) -> dict[str, Any]:
    try:
        return resolve_did_key(did) if did.startswith("did:key:") else resolve_did_jwk(did)
    except MalformedError as error:
        raise IssuerKeyUnknownError(f"The issuer's identifier cannot be read: {error.detail}") from error


async def _find_foreign_key(
    context: Context, org_id: str, issuer: str, kid: str | None, now: datetime
) -> VerificationKey:
    url = f"keys:{issuer}"
    async with context.database.reading() as session:
        held = await session.get(CachedDocument, (org_id, url))
    age = None if held is None else now - held.fetched_at
    if held is not None and age is not None and age < KEYS_MAX_AGE:
        try:
            return _select_key(json.loads(held.body), issuer, kid)
        except IssuerKeyUnknownError:
            if age < KEYS_RETRY_AFTER:
                raise
    document = await _fetch_keys(context, issuer)
    async with context.database.transaction() as session:
        await keep_document(session, org_id=org_id, url=url, body=json.dumps(document), issued_at=None, fetched_at=now)
    return _select_key(document, issuer, kid)


async def _fetch_keys(context: Context, issuer: str) -> dict[str, Any]:
    """Return the DID document or the JWK set of a trusted issuer."""
    if issuer.startswith("did:"):
        document = await _fetch_object(context, _document_url(issuer))
        if document.get("id") != issuer:
            raise IssuerKeyUnknownError("The DID document is about another identifier.")
        return document
    metadata = await _fetch_object(context, build_metadata_url(issuer))
    if metadata.get("issuer") != issuer:
        raise IssuerKeyUnknownError("The issuer metadata are about another issuer.")
    if ("jwks" in metadata) == ("jwks_uri" in metadata):
        raise IssuerKeyUnknownError("The issuer metadata must have one of jwks and jwks_uri.")
    jwks = metadata["jwks"] if "jwks" in metadata else await _fetch_object(context, str(metadata["jwks_uri"]))
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise IssuerKeyUnknownError("The issuer's key set cannot be read.")
    return {"keys": keys}


def _document_url(issuer: str) -> str:
    try:
        return did_web_url(issuer)
    except MalformedError as error:
        raise IssuerKeyUnknownError("The issuer's identifier is of a kind that we cannot resolve.") from error


def build_metadata_url(issuer: str) -> str:
    """Return where an https issuer publishes its keys: the well-known segment goes between host and path."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/jwt-vc-issuer{parts.path.rstrip('/')}"


async def _fetch_object(context: Context, url: str) -> dict[str, Any]:
    try:
        answer = await context.fetcher.get(url)
    except FetchError as error:
        raise IssuerUnavailableError(f"The issuer's keys could not be fetched: {error.detail}") from error
    if answer.status != 200:
        raise IssuerUnavailableError("The issuer's keys could not be fetched: the answer is not 200.")
    try:
        document = parse_json(answer.body)
    except MalformedError as error:
        raise IssuerKeyUnknownError("The issuer's metadata are not JSON.") from error
    if not isinstance(document, dict):
        raise IssuerKeyUnknownError("The issuer's metadata are not an object.")
    return document


def _select_key(document: dict[str, Any], issuer: str, kid: str | None) -> VerificationKey:
    if "keys" not in document:
        return _select_from_did(document, issuer, kid)
    found = [key for key in document["keys"] if isinstance(key, dict) and key.get("kid") == kid]
    if kid is None or len(found) != 1:
        raise IssuerKeyUnknownError("The issuer publishes no such key, or several.")
    try:
        return load_key(found[0])
    except MalformedError as error:
        raise IssuerKeyUnknownError(f"The issuer's key cannot be used: {error.detail}") from error


def _select_from_did(document: dict[str, Any], issuer: str, kid: str | None) -> VerificationKey:
    # did:key and did:jwk have one key, so a credential that names none can only mean that one.
    single = issuer.startswith(("did:key:", "did:jwk:"))
    name = document["verificationMethod"][0]["id"] if kid is None and single else kid
    try:
        return select_verification_key(document, name or "", relationship="assertionMethod")
    except (MalformedError, UnknownKeyError) as error:
        raise IssuerKeyUnknownError(f"The issuer publishes no such key: {error.detail}") from error
