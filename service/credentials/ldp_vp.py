"""Presentations of linked-data credentials: who made one, for whom, for which request.

A presentation has one maker, who must be the subject of each credential in it. So its own proofs, which cover all that
it holds, are verified once, however many credentials it shows.
"""

from datetime import datetime

from service.credentials.credential import Expected
from service.credentials.data_integrity import ProofKey, verify_proofs
from service.credentials.did import find_holder_key
from service.credentials.jose import VerificationKey
from service.credentials.ldp_vc import EnvelopedVc, UnverifiedLdpVc, UnverifiedLdpVp
from service.credentials.rdf import Contexts
from service.credentials.sd_jwt_errors import (
    HolderBindingInvalidError,
    HolderBindingMissingError,
    HolderBindingStaleError,
    TransactionDataMismatchError,
)
from service.credentials.vc_data_model import read_identifier
from service.credentials.w3c_errors import PresentationHolderError, W3cDocumentError
from service.errors import VerificationError

_BINDING_CHECKS = frozenset({"audience", "nonce"})


def check_presented(read: UnverifiedLdpVc | EnvelopedVc, expected: Expected | None) -> None:
    """Check that a credential came with a presentation if, and only if, one is expected.

    Raises:
        HolderBindingMissingError, W3cDocumentError: It did not, or it did.
    """
    if read.presentation is None and expected is not None:
        raise HolderBindingMissingError("The credential came without a presentation of its holder's.")
    if read.presentation is not None and expected is None:
        raise W3cDocumentError("A presentation is verified by what it must be bound to, not as a credential.")


def find_presenter(read: UnverifiedLdpVc | EnvelopedVc, presentation: UnverifiedLdpVp) -> VerificationKey:
    """Return the key of a credential's subject, which the presentation names as the one that made it.

    Raises:
        HolderBindingMissingError: The subject has no key that can be found.
        PresentationHolderError: The presentation names another.

    Source: OpenID4VP 1.0, appendix B.1.3.2.
    """
    subject_id = read.subject.get("id")
    holder = None if subject_id is None else find_holder_key(subject_id)
    if holder is None:
        raise HolderBindingMissingError("The credential names no holder key that can be found.")
    named = presentation.document.get("holder")
    if named is not None and read_identifier(named, "holder") != subject_id:
        raise PresentationHolderError("The presentation's holder is not the credential's subject.")
    if presentation.proofs[0].method != holder.kid:
        raise PresentationHolderError("The presentation names a key that is not the credential's subject's.")
    return holder


def verify_ldp_vp(
    presentation: UnverifiedLdpVp, key: ProofKey, expected: Expected, contexts: Contexts, *, now: datetime
) -> None:
    """Verify that the key that a presentation names made it, for us and this request.

    1. The proofs are of that key, made to authenticate, their ``challenge`` and ``domain`` the expected nonce and
       audience.
    2. They are no older than allowed.
    3. No transaction data were to be agreed to: this format has no place for them.

    Args:
        presentation: Untrusted.
        key: What ``find_presenter`` returned for each of its credentials.
        expected: What it must be bound to.
        contexts: The contexts that it may name.
        now: Time of the check, aware.

    Raises:
        VerificationError: Its ``check`` names the step that did not pass.

    Source: VC Data Integrity 1.0, section 4.4; OpenID4VP 1.0, appendix B.1.3.2.
    """
    try:
        verify_proofs(  # (1)
            presentation.document,
            presentation.proofs,
            {presentation.proofs[0].method: key},
            contexts,
            expected_purpose="authentication",
            now=now,
            expected_challenge=expected.nonce,
            expected_domain=expected.audience,
        )
    except VerificationError as error:
        if error.check in _BINDING_CHECKS:
            raise
        raise HolderBindingInvalidError(f"The presentation is not the holder's: {error.detail}") from error
    if any(each.created_at is None or each.created_at < now - expected.max_age for each in presentation.proofs):  # (2)
        raise HolderBindingStaleError("The presentation is too old or does not say when it was made.")
    if expected.transaction_data:  # (3)
        raise TransactionDataMismatchError("Nothing can be agreed to by a presentation of this format.")
