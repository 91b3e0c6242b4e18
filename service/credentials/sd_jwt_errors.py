"""What can be wrong with an SD-JWT VC or its presentation; ``code`` and ``check`` are reported by ``/v1/verify``."""

from service.errors import VerificationError


class SdJwtMalformedError(VerificationError):
    """Not an SD-JWT: wrong separators, base64url, JSON, size or nesting."""

    code = "sd_jwt_malformed"
    check = "format"


class SdJwtTypeError(VerificationError):
    """The ``typ`` header is not one that an SD-JWT VC may have."""

    code = "sd_jwt_type_invalid"
    check = "format"


class CredentialClaimsError(VerificationError):
    """A claim that every credential needs is missing or has the wrong type."""

    code = "credential_claims_invalid"
    check = "format"


class DisclosureMalformedError(VerificationError):
    """A disclosure cannot be read, or has the wrong length for the place that its digest stands in."""

    code = "disclosure_malformed"
    check = "disclosures"


class DisclosureDuplicateError(VerificationError):
    """The same disclosure was sent twice."""

    code = "disclosure_duplicate"
    check = "disclosures"


class DisclosureUnreferencedError(VerificationError):
    """No digest in the credential refers to a disclosure."""

    code = "disclosure_unreferenced"
    check = "disclosures"


class DisclosureForbiddenError(VerificationError):
    """A claim that must never be selectively disclosable, or a reserved name, stands in a disclosure."""

    code = "disclosure_forbidden"
    check = "disclosures"


class DisclosureConflictError(VerificationError):
    """A disclosed claim is already present at its level."""

    code = "disclosure_conflict"
    check = "disclosures"


class DigestDuplicateError(VerificationError):
    """One digest stands in the credential more than once."""

    code = "digest_duplicate"
    check = "disclosures"


class DigestMalformedError(VerificationError):
    """``_sd`` or ``...`` is used for something else than digests."""

    code = "digest_malformed"
    check = "disclosures"


class HashAlgorithmError(VerificationError):
    """``_sd_alg`` names another algorithm than ``sha-256``, or stands below the top level."""

    code = "sd_alg_unsupported"
    check = "disclosures"


class CredentialExpiredError(VerificationError):
    """``exp`` has passed."""

    code = "credential_expired"
    check = "validity"


class CredentialNotYetValidError(VerificationError):
    """``nbf`` or ``iat`` lies in the future."""

    code = "credential_not_yet_valid"
    check = "validity"


class CredentialExpiryMissingError(VerificationError):
    """There is no ``exp`` although the policy asks for one."""

    code = "credential_expiry_missing"
    check = "validity"


class StatusReferenceError(VerificationError):
    """``status`` is present but not a status list reference that we can follow."""

    code = "status_reference_invalid"
    check = "status"


class HolderKeyError(VerificationError):
    """``cnf`` carries no usable public ``jwk``."""

    code = "holder_key_invalid"
    check = "holder_binding"


class HolderBindingMissingError(VerificationError):
    """The presentation has no key binding JWT, or the credential no holder key."""

    code = "holder_binding_missing"
    check = "holder_binding"


class HolderBindingInvalidError(VerificationError):
    """The key binding JWT is malformed, of another type, or not signed by the holder key."""

    code = "holder_binding_invalid"
    check = "holder_binding"


class HolderBindingStaleError(VerificationError):
    """The key binding JWT was made too long ago, in the future, or is outside its own ``nbf`` and ``exp``."""

    code = "holder_binding_stale"
    check = "holder_binding"


class SdHashMismatchError(VerificationError):
    """The key binding JWT was made for another set of disclosures."""

    code = "sd_hash_mismatch"
    check = "holder_binding"


class AudienceMismatchError(VerificationError):
    """Made for somebody else."""

    code = "audience_mismatch"
    check = "audience"


class NonceMismatchError(VerificationError):
    """Made for another request."""

    code = "nonce_mismatch"
    check = "nonce"


class TransactionDataMismatchError(VerificationError):
    """The holder signed other transaction data than was asked for, none, or some that was not asked for."""

    code = "transaction_data_mismatch"
    check = "transaction_data"
