"""What can be wrong with a linked-data document or its Data Integrity proof."""

from service.errors import VerificationError


class LinkedDataInvalidError(VerificationError):
    """Not JSON-LD, or written so that what is read is more than what is signed."""

    code = "linked_data_invalid"
    check = "format"


class DataLossError(VerificationError):
    """A term, type or identifier has no meaning in the document's contexts, so no signature could cover it."""

    code = "linked_data_loss"
    check = "format"


class ContextUnknownError(VerificationError):
    """The document has no context, or one that is not bundled; none is ever fetched."""

    code = "context_unknown"
    check = "format"


class DocumentTooComplexError(VerificationError):
    """The document would take too long to bring into its canonical form."""

    code = "document_too_complex"
    check = "format"


class ProofMalformedError(VerificationError):
    """There is no proof, or one without what a Data Integrity proof needs."""

    code = "proof_malformed"
    check = "format"


class CryptosuiteUnsupportedError(VerificationError):
    """The proof is of another cryptosuite than the ones of this service."""

    code = "cryptosuite_unsupported"
    check = "format"


class ProofInvalidError(VerificationError):
    """The proof is not the key's over this document."""

    code = "proof_invalid"
    check = "signature"


class ProofPurposeError(VerificationError):
    """The proof was made for another purpose."""

    code = "proof_purpose_mismatch"
    check = "signature"


class ProofChainError(VerificationError):
    """A proof builds on another that is not there, or on itself."""

    code = "proof_chain_broken"
    check = "signature"


class ProofExpiredError(VerificationError):
    """The proof has expired, or was made in the future."""

    code = "proof_not_current"
    check = "validity"
