"""Credentials of the W3C data model with Data Integrity proofs, alone and presented.

What is read of a document must be what its proof covers. JCS suites sign the JSON itself. RDFC suites sign what the
JSON means, so ``linked_data_shape`` lets one way of writing through, and a credential of a type of ours names exactly
the contexts that make each claim a JSON literal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from service.credentials.bitstring_status_list import read_status_entries
from service.credentials.credential import StatusReference, UnverifiedIssuer, VerifiedCredential
from service.credentials.credential_types import UnknownCredentialTypeError, type_of
from service.credentials.data_integrity import Proof, ProofKey, digest_secured, read_proofs, verify_proofs
from service.credentials.did import find_holder_key
from service.credentials.jwt_vc import UnverifiedJwtVc, parse_jwt, read_jwt_vc
from service.credentials.jwt_vp import open_envelope
from service.credentials.linked_data_errors import ContextUnknownError, ProofMalformedError
from service.credentials.linked_data_shape import check_shape
from service.credentials.rdf import Contexts
from service.credentials.sd_jwt_errors import CredentialExpiryMissingError
from service.credentials.vc_data_model import Validity, check_credential, check_presentation, read_identifier
from service.credentials.w3c_document import (
    ENVELOPED_CREDENTIAL,
    PRESENTATION,
    V1_CONTEXT,
    V2_CONTEXT,
    name_type,
    read_subject,
    read_subject_claims,
    read_types,
)
from service.credentials.w3c_errors import W3cDocumentError

LDP_VC = "ldp_vc"
CLAIMS_CONTEXT = "urn:goodstanding:context:1"
CLAIMS_CONTEXT_1 = "urn:goodstanding:context:vcdm-1.1:1"
"""The same for version 1.1 of the data model."""
MAX_CREDENTIALS = 8  # each of them is verified with the whole presentation
_PROOF_CONTEXTS = frozenset(
    f"https://w3id.org/security/{name}"
    for name in (
        "data-integrity/v2",
        "suites/jws-2020/v1",
        "suites/ed25519-2020/v1",
        "suites/secp256k1recovery-2020/v2",
    )
)
"""Contexts that define proofs and no claims."""


@dataclass(frozen=True, slots=True)
class UnverifiedLdpVp:
    """A presentation that was read once; nothing in it is to be believed yet."""

    document: Mapping[str, Any]
    proofs: Sequence[Proof]


@dataclass(frozen=True, slots=True)
class UnverifiedLdpVc:
    """A credential that was read once, with the presentation that it came in; nothing in it is to be believed yet.

    Attributes:
        document: The credential with its proofs.
        proofs: These, read; all are of one key.
        subject: Its one ``credentialSubject``.
        validity: When it holds.
        presentation: None if it came alone.
    """

    format: ClassVar[str] = LDP_VC

    document: Mapping[str, Any]
    proofs: Sequence[Proof]
    subject: Mapping[str, Any]
    validity: Validity
    presentation: UnverifiedLdpVp | None

    def read_issuer(self) -> UnverifiedIssuer:
        """Return what names the issuer's key; raises W3cDocumentError where its type is ambiguous."""
        issuer = read_identifier(self.document["issuer"], "issuer")
        return UnverifiedIssuer(issuer, self.proofs[0].method, name_type(self.document), None)

    def read_statuses(self) -> tuple[StatusReference, ...]:
        """Return where the status will be.

        Raises:
            StatusReferenceError: Kept by a mechanism that we do not know.
        """
        return read_status_entries(self.document)


@dataclass(frozen=True, slots=True)
class EnvelopedVc:
    """A JWT VC that came in a presentation which is linked data itself."""

    credential: UnverifiedJwtVc
    presentation: UnverifiedLdpVp

    @property
    def format(self) -> str:
        """Format of the credential."""
        return self.credential.format

    @property
    def subject(self) -> Mapping[str, Any]:
        """Its one ``credentialSubject``."""
        return read_subject(self.credential.document)

    def read_issuer(self) -> UnverifiedIssuer:
        """See ``UnverifiedJwtVc``."""
        return self.credential.read_issuer()

    def read_statuses(self) -> tuple[StatusReference, ...]:
        """See ``UnverifiedJwtVc``."""
        return self.credential.read_statuses()


def read_ldp(document: Mapping[str, Any]) -> list[UnverifiedLdpVc | EnvelopedVc]:
    """Read a credential or a presentation as far as that is possible without a key.

    Raises:
        VerificationError: Not of the data model, without a well-formed proof, or written in a way that isn't signed.

    Source: VCDM 2.0, sections 4 and 7.1; VC Data Integrity 1.0, section 2.1.
    """
    check_shape(document)
    if PRESENTATION not in read_types(document):
        return [_read_credential(document, None)]
    check_presentation(document)
    presentation = UnverifiedLdpVp(document, _read_proofs(document))
    entries = document.get("verifiableCredential", [])
    credentials = entries if isinstance(entries, list) else [entries]
    if not 0 < len(credentials) <= MAX_CREDENTIALS:
        raise W3cDocumentError(f"The presentation does not hold between 1 and {MAX_CREDENTIALS} credentials.")
    return [_read_presented(each, presentation) for each in credentials]


def verify_ldp_vc(
    read: UnverifiedLdpVc, key: ProofKey, contexts: Contexts, *, now: datetime, require_end: bool = True
) -> VerifiedCredential:
    """Verify that a credential is its issuer's, made to assert, that it ends, and that ``now`` is within its period.

    Whoever presented it is for ``ldp_vp``.

    Args:
        read: The credential.
        key: The key that policy allows for its issuer, or what another implementation says of the proof.
        contexts: The contexts that it may name.
        now: Time of the check, aware.
        require_end: Whether it must say when it ends.

    Raises:
        VerificationError: Its ``check`` names the step that did not pass.

    Source: VC Data Integrity 1.0, section 4.4; VCDM 1.1, section 6.3.2.
    """
    keys = {read.proofs[0].method: key}
    verify_proofs(read.document, read.proofs, keys, contexts, expected_purpose="assertionMethod", now=now)
    if require_end and read.validity.valid_until is None:
        raise CredentialExpiryMissingError("The credential does not say when it ends.")
    read.validity.check(now)
    subject_id = read.subject.get("id")
    holder = None if subject_id is None else find_holder_key(subject_id)
    return VerifiedCredential(
        format=LDP_VC,
        issuer=read_identifier(read.document["issuer"], "issuer"),
        vct=name_type(read.document),
        claims=read_subject_claims(read.subject),
        holder_jwk=None if holder is None else holder.jwk,
        statuses=read.read_statuses(),
        issued_at=read.proofs[0].created_at or read.validity.valid_from,
        not_before=read.validity.valid_from,
        expires_at=read.validity.valid_until,
        kid=read.proofs[0].method,
        disclosed=frozenset(),
        digest=digest_secured(read.document),
        subject_id=subject_id,
        document=read.document,
    )


def _read_presented(document: Mapping[str, Any], presentation: UnverifiedLdpVp) -> UnverifiedLdpVc | EnvelopedVc:
    if document.get("type") in (ENVELOPED_CREDENTIAL, [ENVELOPED_CREDENTIAL]):
        opened = open_envelope({**document, "type": ENVELOPED_CREDENTIAL}, ENVELOPED_CREDENTIAL)
        return EnvelopedVc(read_jwt_vc(parse_jwt(opened)), presentation)
    return _read_credential(document, presentation)


def _read_credential(document: Mapping[str, Any], presentation: UnverifiedLdpVp | None) -> UnverifiedLdpVc:
    validity = check_credential(document)
    subject = read_subject(document)
    issuer = document["issuer"]
    if isinstance(issuer, dict) and issuer["id"] == subject.get("id"):
        # In RDF there is one node, whose claims could be moved from the one place to the other.
        raise W3cDocumentError("The issuer is described beside the subject, and is the same.")
    _check_ours(document, subject)
    return UnverifiedLdpVc(document, _read_proofs(document), subject, validity, presentation)


def _check_ours(document: Mapping[str, Any], subject: Mapping[str, Any]) -> None:
    """Check that a credential of a type of ours gives its terms our meanings, and each claim its one way of writing.

    ``sub`` alone is an IRI in RDF, where a list of one is the same as the one: whoever is known by it must not be
    able to hide it from a reader of the JSON.
    """
    try:
        type_of(name_type(document))
    except UnknownCredentialTypeError:
        return
    contexts = document["@context"]
    is_version_1 = contexts[:2] == [V1_CONTEXT, CLAIMS_CONTEXT_1] and all(
        isinstance(entry, str) and entry in _PROOF_CONTEXTS for entry in contexts[2:]
    )
    if contexts != [V2_CONTEXT, CLAIMS_CONTEXT] and not is_version_1:
        raise ContextUnknownError("A credential of this type has other contexts.")
    if not isinstance(subject.get("sub", ""), str):
        raise W3cDocumentError("The subject's sub isn't one text.")


def _read_proofs(document: Mapping[str, Any]) -> list[Proof]:
    proofs = read_proofs(document)
    if len({proof.method for proof in proofs}) != 1:
        raise ProofMalformedError("The proofs are of several keys, and a credential has one issuer.")
    if any(proof.suite.is_legacy for proof in proofs):
        _check_legacy(document, proofs)
    return proofs


def _check_legacy(document: Mapping[str, Any], proofs: Sequence[Proof]) -> None:
    """Suites of version 1.1's time secure nothing else, and say nothing of several proofs."""
    if len(proofs) != 1 or V2_CONTEXT in document["@context"]:
        raise ProofMalformedError("A proof of this kind stands alone, in a document of version 1.1.")
