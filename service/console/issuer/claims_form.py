"""The form of a credential type's claims, made from its schema, with the labels of its type metadata."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from service.console.issuer.fields import CHOICE, DAY, FLAG, INSTANT, LINES, TEXT, YEARS, Field
from service.console.translation import find_text
from service.console.values import COUNTRIES
from service.credentials.credential_types import CREDENTIAL_TYPES, IMPLIED_CLAIMS
from service.errors import InvalidInputError
from service.schema_files import load_claims_schema, load_type_metadata

# What the organisation itself or the review of a case says.
_OWN = frozenset({"attester_class", "attester_register_id", "rules_version"})
_NEVER_SILENT = frozenset(
    claim for claims in IMPLIED_CLAIMS.values() for claim, said in claims.items() if said is False
)
_FORMATS: Mapping[str, str] = {"date": DAY, "date-time": INSTANT}


class ClaimUnsaidError(InvalidInputError):
    """The form leaves open what the credential would state all the same."""

    code = "claim_unsaid"


def describe_claims(name: str, language: str, *, without: Collection[str] = ()) -> list[Field]:
    """Return the fields of a credential type's claims.

    Args:
        name: ``kyc``, ``aml-screening``, ``qualified-investor`` or ``investment-limit``.
        language: Of labels and hints.
        without: Claims that somebody else decides.
    """
    schema, labels = load_claims_schema(name), _label_claims(name, language)
    left_out = _OWN | set(without)
    return [
        _describe(
            claim,
            _resolve(schema, rule),
            language,
            labels,
            required=claim in schema["required"] or claim in _NEVER_SILENT,
        )
        for claim, rule in schema["properties"].items()
        if claim not in left_out
    ]


def check_silence(name: str, claims: Mapping[str, Any]) -> None:
    """Refuse a form that leaves open what the credential would then say of itself.

    Raises:
        ClaimUnsaidError: ``errors`` names the claims that the officer has to choose.
    """
    unsaid = [claim for claim in _list_needed(name, claims) if claim not in claims]
    if unsaid:
        errors: list[dict[str, Any]] = [{"path": f"/{claim}", "detail": ""} for claim in unsaid]
        raise ClaimUnsaidError("Something that the credential would state was not chosen.", errors=errors)


def _list_needed(name: str, claims: Mapping[str, Any]) -> Collection[str]:
    if name != "kyc":
        return _NEVER_SILENT & IMPLIED_CLAIMS.get(name, {}).keys()
    if "legal_name" in claims:
        return ["beneficial_owners_complete"]
    return [] if "age_over_18" in claims else ["birthdate"]


def label_claim(name: str, language: str, claim: str) -> str:
    """Return what a claim of a credential type is called."""
    return _label_claims(name, language).get(claim, claim)


def name_type(name: str, language: str) -> str:
    """Return what a credential type is called."""
    return _pick(load_type_metadata(name)["display"], language)["name"]


def list_types() -> list[str]:
    """Return the credential types in the order in which investors need them."""
    return list(CREDENTIAL_TYPES)


@cache
def _label_claims(name: str, language: str) -> Mapping[str, str]:
    claims = load_type_metadata(name)["claims"]
    return {claim["path"][0]: _pick(claim["display"], language)["label"] for claim in claims if len(claim["path"]) == 1}


def _pick(display: Sequence[Mapping[str, str]], language: str) -> Mapping[str, str]:
    return next((each for each in display if each["locale"] == language), display[0])


def _resolve(schema: Mapping[str, Any], rule: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in rule:
        return rule
    found = schema["$defs"][rule["$ref"].rsplit("/", 1)[1]]
    return {**found, **rule}


def _describe(
    claim: str, rule: Mapping[str, Any], language: str, labels: Mapping[str, str], *, required: bool
) -> Field:
    kind = _kind_of(rule)
    choices = rule.get("enum", ()) if kind == CHOICE else ()
    area = "countries" if claim in COUNTRIES else f"claims.{claim}"
    named = ((each, find_text(language, f"{area}.{each}")) for each in choices)
    return Field(
        name=claim,
        kind=kind,
        label=labels.get(claim, claim),
        hint=find_text(language, f"claims.{claim}") or "",
        choices=choices,
        required=required,
        choice_labels={each: _say(claim, each, label) for each, label in named if label is not None},
    )


def _say(claim: str, code: str, label: str) -> str:
    """Countries begin with their code: a list goes by it, and typing it finds the country in every language."""
    return f"{code} {label}" if claim in COUNTRIES else label


def _kind_of(rule: Mapping[str, Any]) -> str:
    if "enum" in rule:
        return CHOICE
    if rule.get("type") == "boolean":
        return FLAG
    if rule.get("type") == "array":
        return YEARS if rule["items"].get("type") == "integer" else LINES
    return _FORMATS.get(rule.get("format", ""), TEXT)
