"""Find the key that an issuer signs credentials and status lists with.

Issuers of this deployment are read from the database. Others are fetched, and only if the platform trusts them: a
presented credential must not make us call an address of its own choosing, nor tell an issuer who is looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.x509 import Certificate
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.certificates import (
    check_names,
    load_leaf_key,
    read_pem_certificates,
    read_x5c,
    verify_chain,
)
from service.credentials.did import resolve_did_jwk, resolve_did_key
from service.credentials.jose import load_key
from service.errors import MalformedError, VerificationError
from service.storage.tables import CredentialCopy, Organization, SigningKey
from service.storage.trust import TrustEntry, covers_day, normalize_issuer
from service.verifier.foreign_keys import find_foreign_key, select_from_did
from service.verifier.issuer_keys import (
    IssuerCertificateMissingError,
    IssuerKey,
    IssuerKeyRetiredError,
    IssuerKeyUnknownError,
    IssuerNotFetchedError,
)
from service.web.context import Context
from service.web.signing import ISSUER, list_published_keys

# A credential whose intent was recorded with the old key may be signed just after another process rotated it.
ROTATION_GRACE = timedelta(minutes=1)


@dataclass(slots=True)
class KeyFinder:
    """Finds issuers' keys for one request to us; a key asked for twice is looked up once.

    Attributes:
        context: Database and fetcher.
        org_id: The platform that asks, owner of the copies.
        trusted: Its trusted issuers, the only ones that may be fetched.
        now: Decides whether a copy is fresh and which of our keys are published.
        known: Keys that were looked up before, by issuer and ``kid`` as credentials name them.
        went_abroad: Whether a key of an issuer elsewhere was asked for, which takes as long as that one likes.
    """

    context: Context
    org_id: str
    trusted: Sequence[TrustEntry]
    now: datetime
    known: Mapping[tuple[str, str], IssuerKey] = field(default_factory=dict)
    went_abroad: bool = field(default=False, init=False)
    _found: dict[tuple[str, str], IssuerKey] = field(default_factory=dict)

    async def find(self, issuer: str, kid: Any, x5c: Any = None, credential_type: str | None = None) -> IssuerKey:
        """Return the issuer's key called ``kid``; the name is compared exactly and never interpreted.

        Where the platform's list has trust anchors for an issuer elsewhere, the key is the one that ``x5c`` certifies,
        and ``kid`` means nothing. Of an issuer here the key is the one that we keep, certified if ``x5c`` and the
        anchors say so. Without anchors ``x5c`` means nothing. Anchors of entries that do not count today certify
        nothing, but still keep an issuer elsewhere from signing without a certificate.

        Args:
            issuer: ``iss`` as the credential says, not verified.
            kid: ``kid`` as the header says, not verified; None if it has none.
            x5c: ``x5c`` as the header says, not verified; None if it has none.
            credential_type: Where an entry for this type has anchors, those of other entries do not count for it.

        Raises:
            IssuerKeyUnknownError, IssuerNotFetchedError, IssuerCertificateMissingError: See there.
            CertificateInvalidError, CertificateUntrustedError, CertificateNameError: See there.
            IssuerUnavailableError: The metadata could not be fetched.

        Source: SD-JWT VC draft, section "JWT VC Issuer Metadata"; DID Core 1.0.
        """
        if kid is not None and not isinstance(kid, str):
            raise IssuerKeyUnknownError("The kid is not a text.")
        entries = self._list_anchored(issuer)
        if entries and not self._is_own(issuer):
            return _find_certified_key(issuer, x5c, self._choose_anchors(entries, credential_type), self.now)
        found = await self._find_named(issuer, kid)
        if entries and x5c is not None:  # ours sign by keys that we know; a certificate only says who else knows them
            found = _mark_certified(found, issuer, x5c, self._choose_anchors(entries, credential_type), self.now)
        return found

    def check_needs_no_certificate(self, issuer: str) -> None:
        """Refuse an issuer without a key of its own whose signatures the platform wants certified.

        Raises:
            IssuerCertificateMissingError: See there.
        """
        if self._list_anchored(issuer):
            raise _missing_certificate()

    async def _find_named(self, issuer: str, kid: str | None) -> IssuerKey:
        place = (issuer, kid or "")
        if place in self.known:
            return self.known[place]
        if place not in self._found:
            self._found[place] = await self._look_up(issuer, kid)
        return self._found[place]

    async def check_on_record(self, found: IssuerKey, digest: str) -> None:
        """Refuse what a retired key of ours signed, unless the issuer recorded it while the key was in use.

        A date in a credential proves nothing about a key that may have been stolen; the issuer's record does.

        Args:
            found: The key that verified it.
            digest: ``sha256:<hex>`` of the issuer-signed JWT.

        Raises:
            IssuerKeyRetiredError: See there.
        """
        if found.org_id is None or found.retired_at is None:
            return
        query = select(CredentialCopy.signed_at).where(
            CredentialCopy.org_id == found.org_id, CredentialCopy.digest == digest
        )
        async with self.context.database.reading() as session:
            signed_at = (await session.exec(query)).first()
        if signed_at is None or signed_at > found.retired_at + ROTATION_GRACE:
            raise IssuerKeyRetiredError("The issuer has no record that the retired key signed this in its time.")

    def _is_own(self, issuer: str) -> bool:
        return normalize_issuer(issuer).startswith(f"{self.context.base_url}/issuers/")

    def _list_anchored(self, issuer: str) -> list[TrustEntry]:
        url = normalize_issuer(issuer)
        return [row for row in self.trusted if row.x509_anchors and normalize_issuer(row.issuer) == url]

    def _choose_anchors(self, entries: Sequence[TrustEntry], credential_type: str | None) -> list[Certificate]:
        counting = [row for row in entries if covers_day(row, self.now.date())]
        of_type = [row for row in counting if credential_type in row.credential_types]
        pems = [pem for row in of_type or counting for pem in row.x509_anchors or ()]
        return [each for pem in pems for each in read_pem_certificates(pem)]

    async def _look_up(self, issuer: str, kid: str | None) -> IssuerKey:
        url = normalize_issuer(issuer)
        own_prefix = f"{self.context.base_url}/issuers/"
        if url.startswith(own_prefix):
            async with self.context.database.reading() as session:
                return await _find_own_key(session, url.removeprefix(own_prefix), kid, self.now)
        if issuer.startswith(("did:key:", "did:jwk:")):
            return IssuerKey(select_from_did(_resolve_locally(issuer), issuer, kid, self.now))
        if not any(normalize_issuer(row.issuer) == url for row in self.trusted):
            raise IssuerNotFetchedError("The issuer is not on the list of trusted issuers.")
        self.went_abroad = True
        return await find_foreign_key(self.context, self.org_id, issuer, kid, self.now)


def _find_certified_key(issuer: str, x5c: Any, anchors: Sequence[Certificate], now: datetime) -> IssuerKey:
    if x5c is None:
        raise _missing_certificate()
    chain = read_x5c(x5c)
    anchor = verify_chain(chain, anchors, now=now)
    check_names(chain, anchor, expected_names=(issuer, normalize_issuer(issuer)))
    return IssuerKey(load_leaf_key(chain), known_from=chain[0].not_valid_before_utc, certified=True)


def _missing_certificate() -> IssuerCertificateMissingError:
    return IssuerCertificateMissingError("The issuer's signatures must come with a certificate (x5c).")


def _mark_certified(
    found: IssuerKey, issuer: str, x5c: Any, anchors: Sequence[Certificate], now: datetime
) -> IssuerKey:
    try:
        certified = _find_certified_key(issuer, x5c, anchors, now)
    except VerificationError:
        return found
    return replace(found, certified=certified.key.jwk == found.key.jwk)


async def _find_own_key(session: AsyncSession, slug: str, kid: str | None, now: datetime) -> IssuerKey:
    organization = (await session.exec(select(Organization).where(Organization.slug == slug))).first()
    if organization is not None and "issuer" in organization.roles:
        for row in await list_published_keys(session, organization.id, [ISSUER], now):
            if kid in (row.kid, f"{organization.did}#{row.kid}"):
                return _own_key(row)
    raise IssuerKeyUnknownError("The issuer publishes no such key.")


def _own_key(row: SigningKey) -> IssuerKey:
    return IssuerKey(load_key(row.public_jwk, alg=row.alg, kid=row.kid), row.retired_at, row.created_at, row.org_id)


def _resolve_locally(did: str) -> dict[str, Any]:
    try:
        return resolve_did_key(did) if did.startswith("did:key:") else resolve_did_jwk(did)
    except MalformedError as error:
        raise IssuerKeyUnknownError(f"The issuer's identifier cannot be read: {error.detail}") from error
