"""The credential types that we issue: names, disclosable claims, lifetime, civil zone.

``zoneinfo`` reads the operating system's time zone database (Debian package ``tzdata``) once, when this module is
imported, so a machine without it fails at start and not at the first issuance.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from service.errors import InvalidInputError, ServiceError

RULE_ZONES: Mapping[str, tzinfo] = MappingProxyType(
    {
        "US": ZoneInfo("America/New_York"),
        "HK": ZoneInfo("Asia/Hong_Kong"),
        "SG": ZoneInfo("Asia/Singapore"),
        "MY": ZoneInfo("Asia/Kuala_Lumpur"),
        "LBN": ZoneInfo("Asia/Kuala_Lumpur"),
        "UK": ZoneInfo("Europe/London"),
        "GB": ZoneInfo("Europe/London"),
        "EU": ZoneInfo("Europe/Brussels"),
        "DE": ZoneInfo("Europe/Berlin"),
        "CH": ZoneInfo("Europe/Zurich"),
        "GI": ZoneInfo("Europe/Gibraltar"),
        "JP": ZoneInfo("Asia/Tokyo"),
        "AE": ZoneInfo("Asia/Dubai"),
        "KY": ZoneInfo("America/Cayman"),
        "SC": ZoneInfo("Indian/Mahe"),
    }
)
"""Jurisdiction to the zone in which its rules count days; UTC counts for every other one."""

ANY_SCOPE = "any"  # of a qualified-investor credential: good for every issuer and institution
ADULT_AGE = 18
IMPLIED_CLAIMS: Mapping[str, Mapping[str, bool | str]] = MappingProxyType(
    {"aml-screening": {"pep": False, "edd_done": False}, "qualified-investor": {"scope": ANY_SCOPE}}
)
"""By credential type, what a credential says of claims that its issuer did not send."""
# Policy, not law: the shortest re-check period that the rule matrix knows for a status without an end of its own.
DEFAULT_LIFETIME_DAYS = 90


class CredentialExpiryError(InvalidInputError):
    """The dates of an offer give a credential that would never be valid, or no date at all."""

    code = "credential_expiry_invalid"


class UnknownCredentialTypeError(ServiceError):
    """A credential type that we do not issue."""

    code = "unknown_credential_type"


@dataclass(frozen=True, slots=True)
class CredentialType:
    """One credential type.

    Attributes:
        name: Credential configuration id, such as ``kyc``.
        claims: The claims that an issuer may send, in display order.
        service_claims: Disclosable claims that the service adds itself.
        jurisdiction_claim: Claim that says whose zone counts days; ``None`` where no claim is a civil date.
        lifetime_months, lifetime_days: Added to the issuance when neither claims nor offer name an end.
    """

    name: str
    claims: tuple[str, ...]
    service_claims: tuple[str, ...] = ()
    jurisdiction_claim: str | None = None
    lifetime_months: int = 0
    lifetime_days: int = 0

    VCT_FORMAT: ClassVar[str] = "urn:goodstanding:vct:{name}:1"

    @property
    def vct(self) -> str:
        """The ``vct`` value of SD-JWT VCs of this type."""
        return self.VCT_FORMAT.format(name=self.name)

    @property
    def w3c_type(self) -> str:
        """The entry of ``type`` in credentials of the W3C data model: ``KycCredential``."""
        return "".join(word.capitalize() for word in self.name.split("-")) + "Credential"

    @property
    def disclosable(self) -> frozenset[str]:
        """Claims that are selectively disclosable, each as a whole value; all others are always visible."""
        return frozenset(self.claims + self.service_claims)


_TYPES = (
    CredentialType(
        name="kyc",
        claims=(
            *("given_name", "family_name", "birthdate", "age_over_18", "nationality", "country", "state", "address"),
            *("id_number", "id_type", "us_person", "loa", "verified_on", "trust_framework"),
            *("legal_name", "lei", "beneficial_owners_complete", "owners_identified_at"),
        ),
        service_claims=("sub",),
        jurisdiction_claim="country",
        lifetime_months=12,
    ),
    CredentialType(
        name="aml-screening",
        claims=("result", "screened_at", "lists", "pep", "edd_done"),
        lifetime_days=7,
    ),
    CredentialType(
        name="qualified-investor",
        claims=(
            *("jurisdiction", "category", "method", "attester_class", "attester_register_id", "reviewed_by"),
            *("steps_completed_on", "oldest_document_on", "tax_years", "verified_on", "consumer_report"),
            *("liabilities_representation", "current_year_representation", "scope", "joint", "rules_version"),
            "valid_until",
        ),
        jurisdiction_claim="jurisdiction",
        lifetime_days=DEFAULT_LIFETIME_DAYS,
    ),
    CredentialType(
        name="investment-limit",
        claims=("regime", "limit_at_least", "currency", "as_of"),
        jurisdiction_claim="regime",
        lifetime_days=DEFAULT_LIFETIME_DAYS,
    ),
)

CREDENTIAL_TYPES: Mapping[str, CredentialType] = MappingProxyType({kind.name: kind for kind in _TYPES})
"""Name to type."""

_TYPES_BY_VCT = {kind.vct: kind for kind in _TYPES}
_TYPES_BY_W3C_TYPE = {kind.w3c_type: kind for kind in _TYPES}


def type_named(name: str) -> CredentialType:
    """Return the type called ``name``; raises UnknownCredentialTypeError."""
    try:
        return CREDENTIAL_TYPES[name]
    except KeyError:
        raise UnknownCredentialTypeError("The credential type is not known.") from None


def vct_of(name: str) -> str:
    """Return the ``vct`` of the type called ``name``; raises UnknownCredentialTypeError."""
    return type_named(name).vct


def type_of(vct: str) -> CredentialType:
    """Return the type whose credentials carry ``vct``, compared case-sensitively; raises UnknownCredentialTypeError."""
    try:
        return _TYPES_BY_VCT[vct]
    except KeyError:
        raise UnknownCredentialTypeError("The credential type is not known.") from None


def is_vct(name: str) -> bool:
    """Tell whether a type of ours has this ``vct``."""
    return name in _TYPES_BY_VCT


def type_of_w3c(name: str) -> CredentialType | None:
    """Return the type whose credentials of the W3C data model carry ``name`` in ``type``; None if it is not ours."""
    return _TYPES_BY_W3C_TYPE.get(name)


def rule_zone(name: str, claims: Mapping[str, Any]) -> tzinfo:
    """Return the zone in which the civil dates of these claims count.

    The jurisdiction is the claim ``jurisdiction`` (qualified-investor), the residence (kyc) or the first part of the
    regime (investment-limit: ``us.reg_cf`` is US). Unknown or malformed: UTC.
    """
    claim = type_named(name).jurisdiction_claim
    value = claims.get(claim) if claim else None
    if not isinstance(value, str):
        return UTC
    return RULE_ZONES.get(value.partition(".")[0].upper(), UTC)


def complete_claims(name: str, claims: Mapping[str, Any], *, defaults: Mapping[str, str | None]) -> dict[str, Any]:
    """Fill in what the issuer left to its organisation; what was sent is never changed.

    Args:
        name: Credential type.
        claims: The claims as sent.
        defaults: The organisation's ``attester_class``, ``attester_register_id`` and ``rules_version``; members that
            are ``None``, or that the type has no claim for, are left out.
    """
    known = type_named(name).claims
    filled = {claim: value for claim, value in defaults.items() if value is not None and claim in known}
    return {**filled, **claims}


def add_implied_claims(name: str, claims: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    """State what silence means, so that a holder who hides a claim can't pass it off as one that was never made.

    No ``pep`` or ``edd_done`` means false, no ``scope`` means ``any``. A KYC says either ``age_over_18`` (a person;
    from the date of birth) or ``beneficial_owners_complete`` (an entity: false unless stated; a person of unknown age
    has no owners but themselves: true).

    Args:
        name: Credential type.
        claims: Claims that passed ``lint_claims``; they are never changed.
        today: Civil date in the rule's zone.
    """
    if name in IMPLIED_CLAIMS:
        return {**IMPLIED_CLAIMS[name], **claims}
    if name != "kyc" or "age_over_18" in claims or "beneficial_owners_complete" in claims:
        return dict(claims)
    if "birthdate" in claims:
        return {**claims, "age_over_18": years_between(date.fromisoformat(claims["birthdate"]), today) >= ADULT_AGE}
    return {**claims, "beneficial_owners_complete": "legal_name" not in claims}


def years_between(born_on: date, today: date) -> int:
    """Return completed years of age."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))


def compute_expiry(
    name: str, claims: Mapping[str, Any], *, issued_at: datetime, credential_expires_on: date | None = None
) -> datetime:
    """Compute the ``exp`` of a credential: the first instant at which it is no longer valid.

    The end of the claim ``valid_until``, else of the offer's ``credential_expires_on``, in the rule's zone (so the last
    valid day is the civil date of ``exp`` minus one second there); else ``issued_at`` plus 12 months (kyc), 7 days
    (aml-screening) or 90 days (all others). A caller that wants coarse timestamps passes a coarse ``issued_at``.

    Args:
        name: Credential type.
        claims: Claims that passed ``lint_claims``.
        issued_at: Aware instant of issuance.
        credential_expires_on: Last valid civil day that the offer names.

    Returns:
        Aware UTC instant in whole seconds.

    Raises:
        CredentialExpiryError: The result is not after ``issued_at``, or ``valid_until`` is no usable date.
    """
    try:
        last_day = date.fromisoformat(claims["valid_until"]) if "valid_until" in claims else credential_expires_on
        if last_day is None:
            expires_at = _add_lifetime(issued_at.astimezone(UTC), type_named(name))
        else:
            expires_at = _end_of_day(last_day, rule_zone(name, claims))
    except (ValueError, TypeError, OverflowError):
        raise CredentialExpiryError("The last valid day of the credential is not a usable date.") from None
    expires_at = expires_at.replace(microsecond=0)
    if expires_at <= issued_at:
        raise CredentialExpiryError("The credential would expire before it is issued.")
    return expires_at


def _end_of_day(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)


def _add_lifetime(start: datetime, kind: CredentialType) -> datetime:
    years, month = divmod(start.month - 1 + kind.lifetime_months, 12)
    year, month = start.year + years, month + 1
    day = min(start.day, monthrange(year, month)[1])
    return start.replace(year=year, month=month, day=day) + timedelta(days=kind.lifetime_days)


def label_disclosable_claims(metadata: Mapping[str, Any], *, locale: str = "en") -> dict[str, str]:
    """List the claims that a holder may choose to disclose, each with a label for people.

    Args:
        metadata: SD-JWT VC type metadata of the type.
        locale: Language tag; its primary subtag decides, and English stands in for a language that has no label.

    Returns:
        Claim name to label, in the order of the metadata.

    Source: SD-JWT VC draft, section "Claim Metadata".
    """
    language = locale.partition("-")[0].lower()
    return {
        entry["path"][0]: _choose_label(entry["display"], language)
        for entry in metadata["claims"]
        if entry["sd"] != "never"
    }


def _choose_label(display: list[dict[str, str]], language: str) -> str:
    labels = {entry["locale"]: entry["label"] for entry in display}
    return labels.get(language) or labels["en"]
