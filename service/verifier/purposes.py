"""Purposes: what a platform must hear from an investor for a regime or an action, as one DCQL query.

Each wanted credential has claims that it must show, claims that it shows if it has them, and at most one of several
groups (the facts that one method of verification leaves). DCQL has no optional claims, so a query lists the
combinations, richest first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

from service.credentials.credential_types import vct_of
from service.errors import InvalidInputError


class PurposeUnknownError(InvalidInputError):
    """No such purpose; ``GET /v1/purposes`` lists them."""

    code = "purpose_unknown"


@dataclass(frozen=True, slots=True)
class Need:
    """One wanted credential.

    Attributes:
        credential_type: Its type.
        required: Claims without which it is of no use.
        optional: Claims that are shown if the credential has them.
        groups: Sets of claims of which a credential has one, or none.
    """

    credential_type: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def query_id(self) -> str:
        """Id of its credential query: the type in snake case."""
        return self.credential_type.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is asked for one regime or action: all of ``needs``, and any of ``welcome``."""

    id: str
    needs: tuple[Need, ...]
    welcome: tuple[Need, ...] = ()


KYC = Need("kyc", ("sub",), ("country", "us_person", "loa", "state", "beneficial_owners_complete"))
AML = Need("aml-screening", ("result", "screened_at"), ("lists", "pep", "edd_done"))
QUALIFIED = Need(
    "qualified-investor",
    ("jurisdiction", "category"),
    ("method", "attester_class", "scope", "joint"),
    (
        ("steps_completed_on",),
        ("tax_years", "current_year_representation", "reviewed_by"),
        ("tax_years", "reviewed_by"),
        ("oldest_document_on", "consumer_report", "liabilities_representation", "reviewed_by"),
        ("oldest_document_on", "reviewed_by"),
        ("verified_on",),
    ),
)
LIMIT = Need("investment-limit", ("regime", "limit_at_least", "currency", "as_of"))

_QUALIFIED_ONLY = (
    *("us.506c", "us.144A", "us.4a7", "us.3c7", "hk.pi_only", "sg.s274_275"),
    *("eu.pr", "uk.poatr", "my.sophisticated"),
)
_WITH_LIMIT = ("us.reg_cf", "us.reg_a_t2", "eu.ecspr")
_QUALIFICATION_HELPS = ("us.506b", "us.12g", "us.3c1", "lbn.private")
_ANYBODY = ("us.reg_s", "us.registered", "us.rule144", "us.reg_a_t1", "sg.s272a", "sg.s272b")
_ACTIONS = (
    *("primary", "secondary", "pledge", "release", "liquidation", "redemption", "gift"),
    *("inheritance", "forced", "recovery", "distribution", "conversion"),
)

PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {purpose_id: Purpose(purpose_id, (KYC, AML, QUALIFIED)) for purpose_id in _QUALIFIED_ONLY}
    | {purpose_id: Purpose(purpose_id, (KYC, AML), (LIMIT, QUALIFIED)) for purpose_id in _WITH_LIMIT}
    | {purpose_id: Purpose(purpose_id, (KYC, AML), (QUALIFIED,)) for purpose_id in _QUALIFICATION_HELPS}
    | {purpose_id: Purpose(purpose_id, (KYC, AML)) for purpose_id in (*_ANYBODY, *_ACTIONS)}
)


def find_purpose(purpose_id: str) -> Purpose:
    """Return a purpose.

    Raises:
        PurposeUnknownError: No such purpose.
    """
    try:
        return PURPOSES[purpose_id]
    except KeyError:
        raise PurposeUnknownError("There is no such purpose; GET /v1/purposes lists them.") from None


def build_query(purpose: Purpose) -> dict[str, Any]:
    """Return the purpose as a DCQL query (OpenID4VP 1.0, section 6)."""
    wanted = (*purpose.needs, *purpose.welcome)
    query: dict[str, Any] = {"credentials": [_build_credential_query(need) for need in wanted]}
    if purpose.welcome:
        query["credential_sets"] = [
            {"options": [[need.query_id for need in purpose.needs]]},
            *({"options": [[need.query_id]], "required": False} for need in purpose.welcome),
        ]
    return query


def _build_credential_query(need: Need) -> dict[str, Any]:
    names = list(dict.fromkeys([*need.required, *need.optional, *(name for group in need.groups for name in group)]))
    query: dict[str, Any] = {
        "id": need.query_id,
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [vct_of(need.credential_type)]},
        "claims": [{"id": name, "path": [name]} for name in names],
    }
    if need.optional or need.groups:
        query["claim_sets"] = _list_claim_sets(need)
    return query


def _list_claim_sets(need: Need) -> list[list[str]]:
    extras = [
        [*chosen, *group]
        for size in range(len(need.optional), -1, -1)
        for chosen in combinations(need.optional, size)
        for group in (*need.groups, ())
    ]
    return [[*need.required, *extra] for extra in sorted(extras, key=len, reverse=True)]


def describe_purpose(purpose: Purpose) -> dict[str, Any]:
    """Return the purpose as ``GET /v1/purposes`` shows it."""
    return {
        "id": purpose.id,
        "credentials": [_describe_need(need, required=True) for need in purpose.needs]
        + [_describe_need(need, required=False) for need in purpose.welcome],
        "dcql_query": build_query(purpose),
    }


def _describe_need(need: Need, *, required: bool) -> dict[str, Any]:
    return {
        "credential_type": need.credential_type,
        "required": required,
        "required_claims": list(need.required),
        "optional_claims": sorted({*need.optional, *(name for group in need.groups for name in group)}),
    }


def list_missing_claims(need: Need, claims: Mapping[str, Any]) -> Sequence[str]:
    """Return the required claims that a credential did not show."""
    return [name for name in need.required if name not in claims]
