"""A key that an issuer signs with, as found; and every way in which none is found."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from service.credentials.jose import VerificationKey
from service.errors import UnavailableError, VerificationError

# Issuers round the times in credentials down, so that copies cannot be linked by them; to the day, as we do.
COARSENESS = timedelta(days=1)


class IssuerKeyUnknownError(VerificationError):
    """The issuer publishes no such key, or its metadata do not hold together."""

    code = "issuer_key_unknown"
    check = "issuer"


class IssuerKeyRetiredError(VerificationError):
    """The credential says that it was signed after the issuer had retired the key."""

    code = "issuer_key_retired"
    check = "issuer"


class IssuerKeyBackdatedError(VerificationError):
    """The credential says that it was signed before the key was the issuer's."""

    code = "issuer_key_backdated"
    check = "issuer"


class DidDeactivatedError(VerificationError):
    """The issuer has ended its identifier."""

    code = "did_deactivated"
    check = "issuer"


class IssuerCertificateMissingError(VerificationError):
    """The platform asks for a certificate of this issuer, and the token brings none."""

    code = "issuer_certificate_missing"
    check = "issuer"


class IssuerNotFetchedError(VerificationError):
    """The issuer is neither of this deployment nor trusted, so its keys were not asked for."""

    code = "issuer_untrusted"
    check = "issuer_trusted"


class IssuerUnavailableError(UnavailableError):
    """The issuer's keys could not be fetched."""

    code = "issuer_unavailable"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A key that an issuer publishes or had certified.

    Attributes:
        key: The key.
        retired_at: Set for one of ours that signs no more.
        known_from: Before this it is known not to have been the issuer's; None if nothing is known.
        org_id: Its owner, for one of ours.
        certified: Whether a certificate below an anchor of the platform's vouches for it.
    """

    key: VerificationKey
    retired_at: datetime | None = None
    known_from: datetime | None = None
    org_id: str | None = None
    certified: bool = False

    def check_signing_time(self, issued_at: datetime | None) -> None:
        """Refuse a signature that claims to be younger than the key's retirement, or older than the key.

        Raises:
            IssuerKeyRetiredError, IssuerKeyBackdatedError: See there.
        """
        if self.known_from is not None and issued_at is not None and issued_at + COARSENESS < self.known_from:
            raise IssuerKeyBackdatedError("The credential says that it is older than the key that signed it.")
        if self.retired_at is not None and (issued_at is None or issued_at > self.retired_at):
            raise IssuerKeyRetiredError("The credential was signed with a key that had been retired.")
