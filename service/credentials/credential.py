"""What credentials of every format have in common, before and after they are verified."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

MAX_AGE = timedelta(seconds=300)
LEEWAY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class StatusReference:
    """Where the status of a credential is published: an entry of a status list."""

    uri: str
    index: int


class UnverifiedIssuer(NamedTuple):
    """What a credential says about its issuer; none of it is verified.

    Attributes:
        issuer: ``iss``.
        kid: Of the header.
        vct: Type of the credential.
        x5c: Of the header, as it came; None if there is none.
    """

    issuer: str
    kid: str | None
    vct: str
    x5c: Any


class VerifiedCredential(NamedTuple):
    """A credential that is authentic and within its times. Its status and its issuer's trust are not checked yet.

    Attributes:
        format: Credential format identifier.
        issuer: ``iss``.
        vct: Type of the credential; in the W3C data model, our ``vct`` of the type if it is ours.
        claims: All claims that were shown, without traces of selective disclosure; in the W3C data model, those of the
            subject.
        holder_jwk: Key of the holder; ``None`` if the credential is bound to nobody.
        statuses: Status list entries, each of which counts; none if the issuer keeps no status.
        issued_at: ``iat``, aware UTC.
        not_before: ``nbf``, aware UTC.
        expires_at: ``exp``, aware UTC.
        kid: The key identifier in the header.
        disclosed: Names of the top-level claims that came, wholly or partly, from disclosures.
        digest: ``sha256:<hex>`` of what the issuer signed.
        holder_bound: Whether the presenter has proved to hold ``holder_jwk``.
        x5c: Of the header, as it came; None if there is none.
        subject_id: Identifier of the holder, where the format has one.
        document: The whole credential in the W3C data model, which queries are about; None in other formats.
    """

    format: str
    issuer: str
    vct: str
    claims: Mapping[str, Any]
    holder_jwk: Mapping[str, Any] | None
    statuses: Sequence[StatusReference]
    issued_at: datetime | None
    not_before: datetime | None
    expires_at: datetime | None
    kid: str | None
    disclosed: frozenset[str]
    digest: str
    holder_bound: bool = False
    x5c: Any = None
    subject_id: str | None = None
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a presentation must be bound to; see ``verify_presentation``."""

    nonce: str
    audience: str
    transaction_data: Sequence[str] = ()
    hash_algorithms: Collection[str] | None = None
    max_age: timedelta = MAX_AGE
