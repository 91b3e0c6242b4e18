"""What a wallet does with a Credential Response: verify it, keep it, and report."""

from collections.abc import Sequence

from service.fetch import Fetched, FetchError
from service.keys import PublicKey
from service.wallet.credential_request import IssuerSession, notify
from service.wallet.errors import NegativeAnswerError
from service.wallet.http import read_object
from service.wallet.issuer_metadata import CredentialConfiguration
from service.wallet.received import verify_received
from service.wallet.records import CredentialCopy, StoredCredential

ACCEPTED, FAILED = "credential_accepted", "credential_failure"


async def keep_credential(
    session: IssuerSession, configuration: CredentialConfiguration, keys: Sequence[PublicKey], answer: Fetched
) -> StoredCredential:
    """Verify a Credential Response, store what it holds, and tell the issuer how that went.

    Raises:
        RejectedError: What came isn't what was asked for, or isn't authentic.
        FetchError: The issuer's keys can't be had.
    """
    body = read_object(answer.body, "The credential response")
    try:
        copies, verified_issuer = await verify_received(
            body, configuration, keys, fetcher=session.fetcher, now=session.now
        )
        record = _new_record(session, configuration, copies, verified_issuer)
        stored = session.wallet.add_credential(record, stem=_stem(configuration))
    except (NegativeAnswerError, FetchError, OSError):
        await notify(session, body, FAILED)
        raise
    await notify(session, body, ACCEPTED)
    return stored


def _new_record(
    session: IssuerSession,
    configuration: CredentialConfiguration,
    copies: Sequence[CredentialCopy],
    verified_issuer: str,
) -> StoredCredential:
    return StoredCredential(
        id="",
        issuer=verified_issuer,
        issuer_name=session.issuer.name,
        vct=configuration.vct,
        format=configuration.format,
        name=configuration.name,
        description=configuration.description,
        labels=dict(configuration.labels),
        received_at=session.now,
        copies=tuple(copies),
    )


def _stem(configuration: CredentialConfiguration) -> str:
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in configuration.id.lower()).strip("-")
    return letters[:40].strip("-") or "credential"
