"""What the wallet keeps: credentials with their copies, and who saw what."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from service.credentials.credential import StatusReference
from service.credentials.dcql_query import W3C_FORMATS
from service.credentials.disclosures import reveal_claims
from service.credentials.formats import UnverifiedDocument, read_document
from service.credentials.jose import parse_json, parse_jws
from service.credentials.jwt_claims import read_period, read_status_claim
from service.credentials.jwt_vc import UnverifiedJwtVc
from service.credentials.ldp_vc import UnverifiedLdpVc
from service.credentials.sd_jwt import parse_sd_jwt
from service.credentials.w3c_document import read_subject, read_subject_claims
from service.keys import PublicKey

PLAIN_CLAIMS = frozenset({"iss", "vct", "vct#integrity", "cnf", "status", "iat", "nbf", "exp"})
"""Claims about the credential itself; they are shown as such and not among what it says of its holder."""


def read_claims(compact: str) -> dict[str, Any]:
    """Return all claims of an SD-JWT that was verified when it came in; raises VerificationError if it is damaged."""
    sd_jwt = parse_sd_jwt(compact)
    return reveal_claims(parse_json(parse_jws(sd_jwt.issuer_jwt).payload), sd_jwt.disclosures).claims


@dataclass(frozen=True, slots=True)
class CredentialCopy:
    """One copy of a credential, an object as JSON; ``kid`` is the thumbprint of the holder key that it is bound to."""

    kid: str
    compact: str

    @property
    def document(self) -> str | dict[str, Any]:
        """The copy as its issuer sent it: a text or an object."""
        return parse_json(self.compact) if self.compact.startswith("{") else self.compact

    def read(self) -> Sequence[UnverifiedDocument]:
        """Read the copy; raises VerificationError or MalformedError if it is damaged."""
        return read_document(self.document)


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential as the wallet keeps it. Copies differ in key, salts and status index only.

    Attributes:
        id: Short name in this wallet.
        issuer: ``iss``, verified.
        issuer_name: What the issuer calls itself.
        vct: Type.
        format: Credential format identifier.
        name: Title of the type for people.
        description: What the type proves, for people; may be empty.
        labels: Claim name to label, for people.
        received_at: Aware UTC.
        copies: At least one.
    """

    id: str
    issuer: str
    issuer_name: str
    vct: str
    format: str
    name: str
    description: str
    labels: Mapping[str, str]
    received_at: datetime
    copies: tuple[CredentialCopy, ...]

    @property
    def all_claims(self) -> Mapping[str, Any]:
        """Everything in the first copy, what is about the credential itself included."""
        if self.format in W3C_FORMATS:
            return self._read_w3c().document
        return read_claims(self.copies[0].compact)

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the credential says of its holder."""
        if self.format in W3C_FORMATS:
            return read_subject_claims(read_subject(self.all_claims))
        return {name: value for name, value in self.all_claims.items() if name not in PLAIN_CLAIMS}

    @property
    def expires_at(self) -> datetime | None:
        """When it ends, aware UTC; ``None`` if it never does."""
        if self.format in W3C_FORMATS:
            read = self._read_w3c()
            return read.validity.valid_until if isinstance(read, UnverifiedLdpVc) else read.period.expires_at
        return read_period(self.all_claims).expires_at

    @property
    def statuses(self) -> tuple[StatusReference, ...]:
        """Where the status of the first copy is published; all copies change together."""
        if self.format in W3C_FORMATS:
            return self._read_w3c().read_statuses()
        return read_status_claim(self.all_claims)

    def _read_w3c(self) -> UnverifiedJwtVc | UnverifiedLdpVc:
        (read,) = self.copies[0].read()
        assert isinstance(read, UnverifiedJwtVc | UnverifiedLdpVc)  # as it was when it was kept
        return read

    def is_expired(self, now: datetime) -> bool:
        """Tell whether ``now`` is at or past the end."""
        return self.expires_at is not None and now >= self.expires_at

    def to_json(self) -> dict[str, Any]:
        """Return the record for storage."""
        return asdict(self) | {"received_at": self.received_at.isoformat()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "StoredCredential":
        """Read what ``to_json`` wrote."""
        copies = tuple(CredentialCopy(**copy) for copy in raw["copies"])
        return cls(**{**raw, "copies": copies, "received_at": datetime.fromisoformat(raw["received_at"])})


@dataclass(frozen=True, slots=True)
class PendingCredential:
    """A credential that its issuer decides on later.

    Attributes:
        id: Short name in this wallet.
        issuer: Credential Issuer Identifier.
        configuration_id: What was asked for there.
        name: Title of the type for people.
        token: Access token to come back with.
        dpop_key: The key that it is bound to; ``None`` for a bearer token.
        keys: The holder keys that were proved.
        transaction_id: As the issuer calls it.
        next_at: Aware UTC; not to be asked for before.
    """

    id: str
    issuer: str
    configuration_id: str
    name: str
    token: str
    dpop_key: PublicKey | None
    keys: tuple[PublicKey, ...]
    transaction_id: str
    next_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the record for storage."""
        return asdict(self) | {"next_at": self.next_at.isoformat()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "PendingCredential":
        """Read what ``to_json`` wrote."""
        keys = tuple(PublicKey(**key) for key in raw["keys"])
        dpop_key = None if raw["dpop_key"] is None else PublicKey(**raw["dpop_key"])
        next_at = datetime.fromisoformat(raw["next_at"])
        return cls(**{**raw, "keys": keys, "dpop_key": dpop_key, "next_at": next_at})


@dataclass(frozen=True, slots=True)
class ShownCredential:
    """One credential in a presentation: names of the claims that were shown, never their values."""

    credential_id: str
    name: str
    issuer: str
    kid: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One answer to a verifier.

    Attributes:
        id: Sorts by time.
        presented_at: Aware UTC.
        client_id: The verifier's full, prefixed identifier.
        client_name: What the verifier calls itself; may be empty.
        host: Where the answer went.
        outcome: ``sending`` (no answer seen), ``accepted``, ``refused`` or ``declined``.
        credentials: Empty if the holder declined.
        agreed: What else the holder agreed to, in words.
    """

    id: str
    presented_at: datetime
    client_id: str
    client_name: str
    host: str
    outcome: str
    credentials: tuple[ShownCredential, ...]
    agreed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the entry for storage and output."""
        return asdict(self) | {"presented_at": self.presented_at.isoformat()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "HistoryEntry":
        """Read what ``to_json`` wrote."""
        shown = tuple(ShownCredential(**{**item, "claims": tuple(item["claims"])}) for item in raw["credentials"])
        agreed = tuple(raw.get("agreed", ()))
        presented_at = datetime.fromisoformat(raw["presented_at"])
        return cls(**{**raw, "credentials": shown, "agreed": agreed, "presented_at": presented_at})
