"""What is wrong with a status of the façade's issuers."""

from service.errors import InvalidInputError


class FacadeStatusError(InvalidInputError):
    """The façade's issuers keep no such status, or the façade knows that the credential was withdrawn."""

    code = "facade_status_refused"
