"""Ways in which credentials and presentations of the W3C data model fail, beside those that every credential has."""

from service.errors import VerificationError


class W3cDocumentError(VerificationError):
    """A member that the W3C data model asks for is missing, twice there, or of a wrong form."""

    code = "w3c_document_invalid"
    check = "format"


class JwtVcMalformedError(VerificationError):
    """Not a JWT whose claims can be read, or neither a credential nor a presentation."""

    code = "jwt_vc_malformed"
    check = "format"


class JwtVcTypeError(VerificationError):
    """The ``typ`` or ``cty`` header is not one that the credential or presentation may have."""

    code = "jwt_vc_type_invalid"
    check = "format"


class JwtVcConflictError(VerificationError):
    """A claim of the JWT says something else than the credential in it."""

    code = "jwt_vc_conflict"
    check = "format"


class PresentationHolderError(VerificationError):
    """The presenter is not the subject of the credential, or did not sign the presentation."""

    code = "presentation_holder_invalid"
    check = "holder_binding"
