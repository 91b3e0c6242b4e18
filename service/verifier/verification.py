"""Verify credentials, alone or presented, in numbered steps that each leave a named check.

1. ``format``: a credential that can be read, of a format that ``service.credentials.formats`` knows.
2. ``issuer``: its issuer is known and publishes the key that the credential names.
3. ``signature``: it is that key's.
4. ``disclosures``: they belong to the credential.
5. ``validity``: it is within its times.
6. ``holder_binding``, ``audience``, ``nonce``, ``transaction_data`` (presentations): its holder made this
   presentation, for us, for this request.
7. ``issuer_trusted``: the platform believes this issuer for this type, jurisdiction and attester class.
8. ``status``: the issuer has not withdrawn it.

``authenticate_document`` takes steps 1 to 6 and may fetch; ``judge_credentials`` takes 7 and 8 inside a transaction,
so that they are as of the moment of the verdict.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.bitstring_status_list import merge_references
from service.credentials.claims_lint import lint_shown_claims
from service.credentials.credential import Expected, VerifiedCredential
from service.credentials.credential_types import CREDENTIAL_TYPES, UnknownCredentialTypeError, type_of
from service.credentials.formats import UnverifiedDocument, read_document, verify_document
from service.credentials.jose import jwk_thumbprint
from service.credentials.ldp_vc import EnvelopedVc, UnverifiedLdpVc
from service.credentials.sd_jwt_errors import CredentialClaimsError
from service.errors import MalformedError, VerificationError
from service.schema_files import load_claims_schema
from service.storage.statuses import StatusQuery, StatusReading, choose_reading, open_statuses
from service.storage.trust import (
    OUT_OF_SCOPE,
    TrustEntry,
    attester_class_of,
    judge_issuer,
    jurisdiction_of,
    read_trusted_issuers,
)
from service.verifier.checks import CREDENTIAL_CHECKS, PRESENTATION_CHECKS, Checklist
from service.verifier.issuer_keys import IssuerNotFetchedError, IssuerUnavailableError
from service.verifier.issuers import KeyFinder
from service.verifier.linked_data import LinkedDataVerifier, UnjudgedError, is_of_account
from service.verifier.statuses import StatusMessage, list_messages, record_status, refresh_status_lists

# What has passed when a check fails: the order in which the core works, not the order in which we list.
_TO_VALIDITY = CREDENTIAL_CHECKS[:5]
_AUTHENTIC = tuple(name for name in PRESENTATION_CHECKS if name not in CREDENTIAL_CHECKS[5:])
_PASSED_BEFORE = {
    "format": (),
    "issuer": CREDENTIAL_CHECKS[:1],
    "signature": CREDENTIAL_CHECKS[:2],
    "disclosures": CREDENTIAL_CHECKS[:3],
    "validity": CREDENTIAL_CHECKS[:4],
    "status": _TO_VALIDITY,
    "holder_binding": _TO_VALIDITY,
    "audience": _TO_VALIDITY,
    "nonce": (*_TO_VALIDITY, "audience"),
    "transaction_data": (*_TO_VALIDITY, "holder_binding", "audience", "nonce"),
}


@dataclass(slots=True)
class Examined:
    """A credential on its way through the checks.

    Attributes:
        checklist: What was found so far.
        format: Credential format identifier; None if it cannot be read.
        issuer: ``iss`` as claimed; None if it cannot be read.
        credential: Set once steps 1 to 6 passed; its ``x5c`` only if that certifies the key by the platform's anchors,
            of its entries in lists here one for all purposes.
        holder: Thumbprint of its holder's key (RFC 7638), set with it.
        status: ``valid``, ``suspended``, ``revoked``, ``expired``, ``unknown`` or ``none`` (its issuer keeps none).
        trusted_issuer_id: The list entry that vouches for the issuer.
        messages: What the issuer says of it under the purpose ``message``.
    """

    checklist: Checklist
    format: str | None = None
    issuer: str | None = None
    credential: VerifiedCredential | None = None
    holder: str | None = None
    status: str = "unknown"
    trusted_issuer_id: str | None = None
    messages: list[StatusMessage] = field(default_factory=list)

    @property
    def credential_type(self) -> str | None:
        """Our name of the type, or the ``vct`` itself for types of others."""
        return name_of_type(self.credential.vct) if self.credential else None


def name_of_type(vct: str) -> str:
    """Return our name of a type, or ``vct`` where we have none."""
    try:
        return type_of(vct).name
    except UnknownCredentialTypeError:
        return vct


def try_to_read(document: str | dict[str, Any]) -> Sequence[UnverifiedDocument] | str | dict[str, Any]:
    """Read a document; one that cannot be read stays as it is, for ``authenticate_document`` to say why."""
    try:
        return read_document(document)
    except (VerificationError, MalformedError):
        return document


async def authenticate_document(
    finder: KeyFinder, document: str | Mapping[str, Any] | Sequence[UnverifiedDocument], expected: Expected | None
) -> list[Examined]:
    """Take steps 1 to 6 for the credential, or for each that the presentation holds.

    Args:
        finder: Finds the issuers' keys, and knows the time.
        document: What was presented, or what ``read_document`` made of it; untrusted.
        expected: None for a bare credential.
    """
    try:
        read = read_document(document) if isinstance(document, str | Mapping) else document
    except (VerificationError, MalformedError) as error:
        examined = _start(expected)
        _record_failure(examined, error)
        return [examined]
    linked = LinkedDataVerifier(finder, expected)
    return [await _authenticate(finder, each, expected, linked) for each in read]


async def _authenticate(
    finder: KeyFinder, read: UnverifiedDocument, expected: Expected | None, linked: LinkedDataVerifier
) -> Examined:
    examined = _start(expected)
    examined.format = read.format
    try:
        examined.issuer, kid, vct, x5c = read.read_issuer()  # (1)
        if isinstance(read, UnverifiedLdpVc) and is_of_account(read):
            finder.check_needs_no_certificate(examined.issuer)  # (2)
            found, credential = None, await linked.verify(read, None)  # (3) to (6)
        else:
            found = await finder.find(examined.issuer, kid, x5c, name_of_type(vct))  # (2)
            if isinstance(read, UnverifiedLdpVc | EnvelopedVc):  # (3) to (6)
                credential = await linked.verify(read, found.key)
            else:
                credential = verify_document(read, found.key, expected, now=finder.now)
            found.check_signing_time(credential.issued_at)
            await finder.check_on_record(found, credential.digest)
        if found is None or found.org_id is None:  # what issuers here sign was linted when it was offered
            _check_claims(credential, finder.now)
    except IssuerUnavailableError as error:
        examined.checklist.mark_passed("format")
        examined.checklist.mark_undetermined("issuer", error.code, error.detail)
    except IssuerNotFetchedError as error:
        examined.checklist.mark_passed("format")
        examined.checklist.mark_failed("issuer_trusted", error.code, error.detail)
    except UnjudgedError as error:
        examined.checklist.mark_passed(*_PASSED_BEFORE[error.check])
        examined.checklist.mark_undetermined(error.check, error.cause.code, error.cause.detail)
    except (VerificationError, MalformedError) as error:
        _record_failure(examined, error)
    else:
        is_certified = credential.x5c is None or (found is not None and found.certified)
        examined.credential = credential._replace(
            x5c=credential.x5c if is_certified else None,
            statuses=merge_references(credential.statuses, f"{finder.context.base_url}/issuers/"),
        )
        jwk = credential.holder_jwk
        examined.holder = jwk_thumbprint(jwk) if jwk else None
        examined.checklist.mark_passed(*_AUTHENTIC)
    return examined


def _check_claims(credential: VerifiedCredential, now: datetime) -> None:
    """Refuse a credential of one of our types that says what such a credential cannot say.

    Raises:
        CredentialClaimsError: See there; names the claim, never its value.
    """
    name = name_of_type(credential.vct)
    if name not in CREDENTIAL_TYPES:
        return
    for found in lint_shown_claims(name, credential.claims, schema=load_claims_schema(name), now=now):
        raise CredentialClaimsError(f"The claim {found.path} does not fit the credential's type: {found.detail}")


def _start(expected: Expected | None) -> Examined:
    return Examined(Checklist(CREDENTIAL_CHECKS if expected is None else PRESENTATION_CHECKS))


def _record_failure(examined: Examined, error: VerificationError | MalformedError) -> None:
    named = error.check if isinstance(error, VerificationError) else None
    check = named if named in _PASSED_BEFORE else "format"
    examined.checklist.mark_passed(*_PASSED_BEFORE[check])
    examined.checklist.mark_failed(check, error.code, error.detail)
    if error.code == "credential_expired":
        examined.status = "expired"


async def refresh_statuses_of(finder: KeyFinder, examined: Sequence[Examined]) -> None:
    """Fetch the lists of others that step 8 needs, before a transaction is opened."""
    await refresh_status_lists(finder, queries_of(examined))


async def judge_credentials(
    connection: AsyncConnection, *, base_url: str, org_id: str, examined: Sequence[Examined], now: datetime
) -> None:
    """Take steps 7 and 8 for the credentials that are authentic; reads only."""
    if all(each.credential is None for each in examined):
        return
    trusted = (await read_trusted_issuers(connection, [org_id]))[org_id]
    statuses = await open_statuses(connection, base_url, {org_id: queries_of(examined)})
    judge_by(trusted, partial(statuses.read, org_id), examined, now)


def judge_by(
    trusted: Sequence[TrustEntry],
    read_status: Callable[[StatusQuery, datetime], StatusReading],
    examined: Sequence[Examined],
    now: datetime,
) -> None:
    """Take steps 7 and 8 by what was read before.

    Args:
        trusted: The platform's list.
        read_status: Knows ``queries_of(examined)``.
        examined: Whatever is authentic of them is judged.
        now: Time of the verdict.
    """
    for each in examined:
        if each.credential is None:
            continue
        _judge_trust(each, trusted, now)  # (7)
        readings = [read_status(query, now) for query in _list_queries(each)]
        each.messages = list_messages(each.credential, readings)
        if readings:
            each.status = record_status(each.checklist, choose_reading(readings))  # (8)
        else:
            each.status = "none"
            each.checklist.mark_passed("status", code="status_none", detail="The issuer keeps no status.")


def queries_of(examined: Sequence[Examined]) -> set[StatusQuery]:
    """Return the status entries that step 8 needs."""
    return {query for each in examined for query in _list_queries(each)}


def _list_queries(examined: Examined) -> list[StatusQuery]:
    credential = examined.credential
    if credential is None:
        return []
    return [StatusQuery(credential.issuer, each.uri, each.index) for each in credential.statuses]


def _judge_trust(examined: Examined, trusted: Sequence[TrustEntry], now: datetime) -> None:
    assert examined.credential is not None
    claims, name = examined.credential.claims, name_of_type(examined.credential.vct)
    verdict = judge_issuer(
        trusted,
        issuer=examined.credential.issuer,
        credential_type=name,
        jurisdiction=jurisdiction_of(name, claims),
        attester_class=attester_class_of(claims),
        on=now.date(),
    )
    examined.trusted_issuer_id = verdict.trusted_issuer_id if verdict.trusted else None
    if verdict.trusted:
        examined.checklist.mark_passed("issuer_trusted")
    elif verdict.code == OUT_OF_SCOPE:
        detail = "The issuer is trusted, but not for this type, attester class or jurisdiction as shown."
        examined.checklist.mark_failed("issuer_trusted", OUT_OF_SCOPE, detail)
    else:
        examined.checklist.mark_failed("issuer_trusted", str(verdict.code), "The issuer is not a trusted one.")
