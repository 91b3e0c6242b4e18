"""Why a file is not taken as evidence; each sentence says what to do about it."""

from service.errors import ConflictError, InvalidInputError


class EvidenceTypeError(InvalidInputError):
    """By its content the file is no PDF, PNG or JPEG, whatever its name says."""

    code = "evidence_type_unsupported"


class EvidenceUnreadableError(InvalidInputError):
    """The file ends too early, is damaged, or is encrypted, so that nobody can tell what is in it."""

    code = "evidence_unreadable"


class EvidenceActiveError(InvalidInputError):
    """The PDF holds scripts, programs to start, forms that send, or other files."""

    code = "evidence_active_content"


class EvidenceAmbiguousError(InvalidInputError):
    """The file is two things at once: behind or within the document there is something of another type."""

    code = "evidence_ambiguous"


class EvidenceLimitError(ConflictError):
    """The case has as many files as it may."""

    code = "evidence_limit_reached"
