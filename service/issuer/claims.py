"""The claims of one credential: completed and linted when offered, made into a payload when issued."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from service.credentials.claims_lint import lint_claims
from service.credentials.configurations import CONFIGURATIONS, CredentialConfiguration
from service.credentials.credential_types import (
    add_implied_claims,
    complete_claims,
    rule_zone,
)
from service.errors import InvalidInputError
from service.issuer.identity import Issuer
from service.rules import RULES_VERSION
from service.schema_files import load_claims_schema


class UnknownCredentialConfigurationError(InvalidInputError):
    """The issuer has no credential configuration of this id."""

    code = "credential_configuration_unknown"


class InvalidCredentialClaimsError(InvalidInputError):
    """The claims break the schema or the dates of their credential type; ``errors`` says where."""

    code = "claims_invalid"


def find_configuration(configuration_id: str) -> CredentialConfiguration:
    """Return a credential configuration.

    Raises:
        UnknownCredentialConfigurationError: There is none of this id.
    """
    if configuration_id not in CONFIGURATIONS:
        raise UnknownCredentialConfigurationError("No such credential configuration.")
    return CONFIGURATIONS[configuration_id]


def prepare_claims(issuer: Issuer, name: str, sent: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """Fill in the organisation's defaults, lint the result, and add what silence implies.

    Raises:
        InvalidCredentialClaimsError: ``errors`` holds a JSON pointer and a sentence per finding, never a value.
    """
    defaults = {
        "attester_class": issuer.attester_class,
        "attester_register_id": issuer.attester_register_id,
        "rules_version": RULES_VERSION,
    }
    claims = complete_claims(name, sent, defaults=defaults)
    schema = load_claims_schema(name)
    findings = lint_claims(name, claims, schema=schema, now=now, attester_class=issuer.attester_class)
    if findings:
        errors: list[dict[str, Any]] = [{"path": found.path, "detail": found.detail} for found in findings]
        raise InvalidCredentialClaimsError("The claims do not fit their credential type.", errors=errors)
    return add_implied_claims(name, claims, today=now.astimezone(rule_zone(name, claims)).date())


def coarsen(instant: datetime) -> datetime:
    """Return the start of the UTC day: the finest time that a credential shows, so that copies can't be linked by it.

    Source: OpenID4VCI 1.0, privacy considerations, "Unique Values Encoded in the Credential".
    """
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
