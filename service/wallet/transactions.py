"""Transactions that a verifier asks the holder to agree to: only what this wallet can put into words."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.credentials.dcql import DcqlQuery
from service.credentials.sd_jwt import SD_JWT_VC_TYP
from service.credentials.transaction_data import (
    HASH_ALGORITHMS,
    TransactionData,
    TransactionDataError,
    check_meaning,
    choose_hash_algorithms,
    read_transaction_data,
)
from service.wallet.errors import NothingFitsError, RejectedError
from service.wallet.selection import Selected

INVALID = "invalid_transaction_data"
MAX_ENTRIES = 10


def read_transactions(
    claims: Mapping[str, Any], query: DcqlQuery, *, authenticated: bool
) -> tuple[TransactionData, ...]:
    """Read ``transaction_data`` of a request; empty if it has none.

    1. The verifier's key signed the request: with nobody in particular there is nothing to agree to.
    2. Each entry is of a type that this wallet knows, and is as that type demands.
    3. Each names only credentials that the query asks for, with the proof of their holder.
    4. Each allows a hash that this wallet computes.

    Raises:
        RejectedError: Any of 1 to 4 doesn't hold.

    Source: OpenID4VP 1.0, sections 5.1 and 8.4, appendix B.3.3.
    """
    if "transaction_data" not in claims:
        return ()
    raw = claims["transaction_data"]
    if not authenticated:  # (1)
        raise _refuse("nobody signed the request")
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_ENTRIES or not all(isinstance(each, str) for each in raw):
        raise _refuse("it can't be read")
    bound = {item.id for item in query.credentials if item.require_cryptographic_holder_binding}
    entries = tuple(_read(each) for each in raw)
    for entry in entries:
        if not bound.issuperset(entry.credential_ids):  # (3)
            raise _refuse("it is tied to a credential that isn't asked for, or not with the proof of its holder")
        if not choose_hash_algorithms([entry])[0]:  # (4)
            raise _refuse("it wants a hash that this wallet doesn't compute")
    return entries


def assign_transactions(
    entries: Sequence[TransactionData], selection: Sequence[Selected]
) -> dict[str, list[TransactionData]]:
    """Return which credential carries which agreement: the first that is shown of those that an entry allows.

    Raises:
        NothingFitsError: None of the credentials that an entry allows would be shown.
        RejectedError: Entries of one credential allow no common hash.
    """
    assigned: dict[str, list[TransactionData]] = {item.query_id: [] for item in selection}
    for entry in entries:
        carriers = [item for item in selection if item.credential.format == SD_JWT_VC_TYP]  # others have no place
        carrier = next((item.query_id for item in carriers if item.query_id in entry.credential_ids), None)
        if carrier is None:
            raise NothingFitsError("This wallet doesn't hold the credential that the transaction needs.")
        assigned[carrier].append(entry)
    for group in assigned.values():
        if not choose_hash_algorithms(group)[0]:
            raise _refuse("its parts want different hashes")
    return assigned


def choose_hash(entries: Sequence[TransactionData]) -> tuple[str, bool]:
    """Return the hash to use for the entries of one credential, and whether it has to be named."""
    allowed, named = choose_hash_algorithms(entries)
    return next(each for each in HASH_ALGORITHMS if each in allowed), named


def _read(encoded: str) -> TransactionData:
    try:
        data = read_transaction_data(encoded)
        check_meaning(data)  # (2)
    except TransactionDataError as error:
        raise _refuse(error.detail) from error
    return data


def _refuse(why: str) -> RejectedError:
    return RejectedError(f"The transaction that the request wants you to agree to is refused: {why}.", error=INVALID)
