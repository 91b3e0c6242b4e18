"""DCQL matching: which held credentials answer a query (wallet), and whether what came back does (verifier)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.credentials.certificates import read_authority_key_ids
from service.credentials.claims_path import ClaimsPath, select_claims
from service.credentials.credential import VerifiedCredential
from service.credentials.dcql_query import (
    AUTHORITY_KEY_ID,
    SD_JWT_VC_FORMAT,
    W3C_FORMATS,
    ClaimsQuery,
    CredentialQuery,
    CredentialSetQuery,
    DcqlQuery,
    DcqlSyntaxError,
    TrustedAuthority,
    expand_types,
    parse_dcql_query,
)
from service.errors import VerificationError

__all__ = [
    "SD_JWT_VC_FORMAT",
    "ClaimsQuery",
    "CredentialQuery",
    "CredentialSetQuery",
    "DcqlQuery",
    "DcqlSyntaxError",
    "HeldCredential",
    "Match",
    "QueryUnsatisfiedError",
    "TrustedAuthority",
    "check_response",
    "is_of_type",
    "match_query",
    "parse_dcql_query",
]


class QueryUnsatisfiedError(VerificationError):
    """The credentials at hand do not answer the query, or more came back than was asked for."""

    code = "query_unsatisfied"
    check = "query"


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A credential in a wallet.

    Attributes:
        id: The wallet's own identifier.
        vct: Type.
        claims: All claims, disclosed and in plain; in the W3C data model, the whole credential.
        format: Credential format identifier.
        issuer: ``iss``.
        x5c: Certificates in its header, as they came; None if there are none.
    """

    id: str
    vct: str
    claims: Mapping[str, Any]
    format: str
    issuer: str
    x5c: Any = None

    @property
    def is_bound(self) -> bool:
        """Whether a holder can prove to be the one; of the W3C formats, wallets keep no others."""
        return self.format in W3C_FORMATS or "cnf" in self.claims


@dataclass(frozen=True, slots=True)
class Match:
    """A held credential that answers a credential query.

    Attributes:
        held_id: ``HeldCredential.id``.
        names: Top-level names of the claims to disclose.
        paths: The same, to the exact part; give these to ``present_sd_jwt`` to disclose nothing else.
    """

    held_id: str
    names: frozenset[str]
    paths: tuple[ClaimsPath, ...]


def match_query(
    query: DcqlQuery, held: Sequence[HeldCredential], *, include_optional: bool = False
) -> dict[str, list[Match]]:
    """Find what a wallet may send.

    Args:
        query: The verifier's.
        held: The wallet's credentials, preferred first.
        include_optional: Whether to answer credential sets that are not required, too.

    Returns:
        Credential query id -> candidates, for every id to be answered: of each credential set the first option that
        can be met. One candidate is to be sent, or several where the query says ``multiple``.

    Raises:
        QueryUnsatisfiedError: What is required cannot be met; then nothing may be sent.

    Source: OpenID4VP 1.0, section 6.4.
    """
    found = {item.id: matches for item in query.credentials if (matches := _match_credential(item, held))}
    if query.credential_sets is None:
        wanted = {item.id for item in query.credentials}
        if wanted - found.keys():
            raise QueryUnsatisfiedError("No credential answers a part of the query that is required.")
    else:
        wanted = _choose_options(query.credential_sets, found.keys(), include_optional=include_optional)
    return {query_id: matches for query_id, matches in found.items() if query_id in wanted}


def check_response(query: DcqlQuery, presented: Mapping[str, Sequence[VerifiedCredential]]) -> None:
    """Check that verified presentations answer our query, trusting nothing that the wallet did to match it.

    1. Every id is one that we asked for.
    2. Each id has one credential, or at least one where the query says ``multiple``.
    3. Each credential is of the wanted format, type and authority, bound to its presenter unless the query does
       without.
    4. Each credential shows all wanted claims, or one of the claim sets, with wanted values. More claims do no harm.
    5. All credentials are there, or an option of every required credential set.

    Which issuers are trusted and whether all credentials have one holder is the caller's to check.

    Args:
        query: What we asked.
        presented: ``vp_token``, each presentation verified.

    Raises:
        QueryUnsatisfiedError: Any of 1 to 5.

    Source: OpenID4VP 1.0, sections 6.4, 8.1, 8.6 and 14.10.
    """
    asked = _asked_queries(query)
    for query_id, credentials in presented.items():
        if query_id not in asked:  # (1)
            raise QueryUnsatisfiedError("The response answers something that was not asked.")
        _check_credentials(asked[query_id], credentials)  # (2), (3), (4)
    if query.credential_sets is not None:  # (5)
        _choose_options(query.credential_sets, presented.keys(), include_optional=False)
    elif asked.keys() - presented.keys():
        raise QueryUnsatisfiedError("A credential that was asked for is missing.")


def _asked_queries(query: DcqlQuery) -> dict[str, CredentialQuery]:
    by_id = {item.id: item for item in query.credentials}
    if query.credential_sets is None:
        return by_id
    return {
        query_id: by_id[query_id] for item in query.credential_sets for option in item.options for query_id in option
    }


def _choose_options(
    sets: Sequence[CredentialSetQuery], available: Collection[str], *, include_optional: bool
) -> set[str]:
    chosen: set[str] = set()
    for item in sets:
        if not (item.required or include_optional):
            continue
        option = next((option for option in item.options if all(query_id in available for query_id in option)), None)
        if option is not None:
            chosen.update(option)
        elif item.required:
            raise QueryUnsatisfiedError("No option of a required credential set is met.")
    return chosen


def _check_credentials(query: CredentialQuery, credentials: Sequence[VerifiedCredential]) -> None:
    if not credentials or (len(credentials) > 1 and not query.multiple):
        raise QueryUnsatisfiedError("The response holds none, or more than one, where one credential was asked for.")
    for credential in credentials:
        if credential.format != query.format or not is_of_type(query, credential.vct, credential.document):
            raise QueryUnsatisfiedError("A credential is not of the type that was asked for.")
        if not _is_of_authority(query, credential.x5c):
            raise QueryUnsatisfiedError("A credential is certified by none of the authorities that were asked for.")
        if query.require_cryptographic_holder_binding and not credential.holder_bound:
            raise QueryUnsatisfiedError("A credential came without the proof of its holder.")
        if _choose_claims(query, credential.document or credential.claims) is None:
            raise QueryUnsatisfiedError("A credential does not show the claims that were asked for.")


def is_of_type(query: CredentialQuery, vct: str, document: Mapping[str, Any] | None) -> bool:
    """Tell whether a credential is of a wanted type: by ``vct``, or by ``type`` of the document in the data model.

    Source: OpenID4VP 1.0, appendices B.1.1 and B.3.5.
    """
    if query.format not in W3C_FORMATS:
        return vct in query.vct_values
    types = document.get("type", []) if document is not None else []
    held = expand_types(query.format, [types] if isinstance(types, str) else types)
    return any(wanted <= held for wanted in query.type_values)


def _match_credential(query: CredentialQuery, held: Sequence[HeldCredential]) -> list[Match]:
    return [
        Match(item.id, frozenset(str(path[0]) for path in paths), paths)
        for item in held
        if item.format == query.format
        and is_of_type(query, item.vct, item.claims)
        and _is_of_authority(query, item.x5c)
        and (item.is_bound or not query.require_cryptographic_holder_binding)
        and (paths := _choose_claims(query, item.claims)) is not None
    ]


def _is_of_authority(query: CredentialQuery, x5c: Any) -> bool:
    """Tell whether a credential is of an authority asked for; of types other than ``aki`` nobody here can tell."""
    if query.trusted_authorities is None:
        return True
    wanted = {value for item in query.trusted_authorities if item.type == AUTHORITY_KEY_ID for value in item.values}
    return bool(wanted) and not wanted.isdisjoint(read_authority_key_ids(x5c))


def _choose_claims(query: CredentialQuery, claims: Mapping[str, Any]) -> tuple[ClaimsPath, ...] | None:
    wanted = query.claims or ()
    met = [claim for claim in wanted if _has_claim(claims, claim)]
    if query.claim_sets is None:
        return tuple(claim.path for claim in met) if len(met) == len(wanted) else None
    paths = {claim.id: claim.path for claim in met}
    for claim_set in query.claim_sets:
        if all(claim_id in paths for claim_id in claim_set):
            return tuple(paths[claim_id] for claim_id in claim_set)
    return None


def _has_claim(claims: Mapping[str, Any], wanted: ClaimsQuery) -> bool:
    selected = select_claims(claims, wanted.path)
    if wanted.values is None:
        return bool(selected)
    # Python takes True for 1 and 1.0; the specification asks for the same type.
    return any(type(found) is type(value) and found == value for found in selected for value in wanted.values)
