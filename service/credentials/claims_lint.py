"""Lint of the claims that an issuer asks us to sign: form and dates.

Whether the method gives a safe harbour is not judged here; that is the gate's question. Form is what the type's JSON
Schema says; what a schema cannot say (dates against today, check digits, the attester's class, text that could deceive
a reader) is said here. Findings never repeat a claim's value: they are shown, logged and stored.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from service.credentials.credential_types import ADULT_AGE, rule_zone, type_named, years_between

MAX_FINDINGS = 50  # a hostile body of 256 KiB must not become an answer many times its size
CLOCK_LEEWAY = timedelta(seconds=60)  # clocks of honest callers differ by seconds
OLDEST_YEAR = 1900  # nobody alive and no document in use is older; earlier dates are typing errors

_FIRST_ZONE = timezone(timedelta(hours=14))  # where days begin first
_PAST_DATES = ("birthdate", "verified_on", "steps_completed_on", "oldest_document_on", "as_of", "owners_identified_at")
_PAST_INSTANTS = ("screened_at", "owners_identified_at")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00:00)")
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_BIDI_CLASSES = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_BIDI_MARKS = frozenset("\u061c\u200e\u200f")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the claims.

    Attributes:
        path: JSON pointer (RFC 6901) into the claims.
        detail: One sentence that holds no value of a claim.
    """

    path: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Return ``{"path", "detail"}``, the shape of a problem's ``errors`` member."""
        return asdict(self)


def lint_claims(
    name: str,
    claims: Mapping[str, Any],
    *,
    schema: Mapping[str, Any],
    now: datetime,
    attester_class: str | None = None,
) -> list[Finding]:
    """Lint the claims of one credential before anything is signed.

    Args:
        name: Credential type.
        claims: Claims after ``complete_claims``, as parsed from JSON.
        schema: The type's claims schema, JSON Schema 2020-12.
        now: Time of the request, aware; "today" is its civil date in the rule's zone.
        attester_class: The organisation's; a ``qualified-investor`` credential must state exactly this one.

    Returns:
        Findings without duplicates, at most ``MAX_FINDINGS``; empty if the claims may be signed.

    Raises:
        UnknownCredentialTypeError: ``name`` is no credential type of ours.
    """
    today = now.astimezone(rule_zone(name, claims)).date()
    findings: dict[Finding, None] = {}
    for finding in _iter_findings(name, claims, schema, now, today, attester_class):
        findings[finding] = None
        if len(findings) == MAX_FINDINGS:
            break
    return list(findings)


def lint_shown_claims(
    name: str, claims: Mapping[str, Any], *, schema: Mapping[str, Any], now: datetime
) -> list[Finding]:
    """Lint what another issuer's credential of one of our types shows: each claim that we know, and how they agree.

    What is hidden is not missed, and what we do not know is not read.

    Args:
        name: Credential type.
        claims: Those that were shown.
        schema: The type's claims schema, JSON Schema 2020-12.
        now: Time of the check, aware.

    Raises:
        UnknownCredentialTypeError: ``name`` is no credential type of ours.
    """
    kind = type_named(name)
    known = {claim: value for claim, value in claims.items() if claim in kind.claims}
    has_jurisdiction = kind.jurisdiction_claim is None or kind.jurisdiction_claim in known
    rules = schema if has_jurisdiction else {member: schema[member] for member in schema if member != "allOf"}
    shown = {**rules, "required": []}
    last_today = now.astimezone(_FIRST_ZONE).date()  # others may count days by any zone
    past = {claim: value for claim, value in known.items() if claim != "valid_until"}  # whose end "exp" tells
    findings = [found for found in _check_schema(known, shown) if found.path.split("/")[1] in known]
    return [*findings, *_check_dates(past, now, last_today)][:MAX_FINDINGS]


def _iter_findings(
    name: str,
    claims: Mapping[str, Any],
    schema: Mapping[str, Any],
    now: datetime,
    today: date,
    attester_class: str | None,
) -> Iterator[Finding]:
    yield from _check_schema(claims, schema)
    yield from _check_text(claims, "")
    yield from _check_dates(claims, now, today)
    yield from _check_tax_years(claims, today)
    yield from _check_age(claims, today)
    yield from _check_lei(claims)
    if "attester_class" in type_named(name).claims:
        yield from _check_attester(claims, attester_class)


def parse_date(text: object) -> date:
    """Parse a civil date, ``YYYY-MM-DD`` in ASCII digits and nothing else.

    Raises:
        ValueError: Any other form, or no such day.
    """
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise ValueError("not a civil date")
    return date.fromisoformat(text)


def parse_instant(text: object) -> datetime:
    """Parse an RFC 3339 instant in UTC (``Z`` or ``+00:00``), with up to six decimals of a second.

    Raises:
        ValueError: Any other form or zone, or no such time; a leap second too.
    """
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        raise ValueError("not an instant in UTC")
    return datetime.fromisoformat(text).astimezone(UTC)


def _is_civil_date(value: object) -> bool:
    return not isinstance(value, str) or bool(parse_date(value))


def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or bool(parse_instant(value))


_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date", raises=ValueError)(_is_civil_date)
_FORMATS.checks("date-time", raises=ValueError)(_is_instant)


def _check_enum(
    validator: Validator, values: Sequence[Any], instance: Any, schema: Mapping[str, Any]
) -> Iterable[ValidationError]:
    """Look a text up where the library compares it with each of 250 countries by a function of its own."""
    if type(instance) is str and instance in values:
        return ()
    errors: Iterable[ValidationError] = Draft202012Validator.VALIDATORS["enum"](validator, values, instance, schema)
    return errors


_Validator = extend(Draft202012Validator, {"enum": _check_enum})  # type: ignore[no-untyped-call]  # types-jsonschema says nothing of it


def _check_schema(claims: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Finding]:
    for error in _Validator(schema, format_checker=_FORMATS).iter_errors(dict(claims)):
        yield from _describe(error)


def _describe(error: ValidationError) -> Iterator[Finding]:
    path = "".join(f"/{part}" for part in error.absolute_path)
    instance: Any = error.instance
    schema: Any = error.schema
    if error.validator == "required":
        missing = [member for member in schema["required"] if member not in instance]
        yield from (Finding(f"{path}/{member}", "This claim is required here.") for member in missing)
    elif error.validator == "additionalProperties":
        unknown = [member for member in instance if member not in schema["properties"]]
        yield from (Finding(_point_to(path, member), "This is no claim of the credential type.") for member in unknown)
    else:
        yield Finding(path, _explain(error.validator, schema))


def _point_to(path: str, member: str) -> str:
    # An unknown member's name is the caller's text; only a plain one is worth repeating.
    return f"{path}/{member}" if _SAFE_NAME.fullmatch(member) else path


def _explain(keyword: object, schema: Mapping[str, Any]) -> str:
    if keyword == "not":
        return "This claim does not go with the other claims."
    if keyword in {"maxLength", "maxItems"}:
        return f"Too long: at most {schema[keyword]}."
    if keyword in {"minLength", "minItems", "minProperties"}:
        return "Must not be empty."
    if keyword == "uniqueItems":
        return "Must not repeat an entry."
    if keyword == "type":
        types = schema["type"]
        return f"Must be of JSON type {types if isinstance(types, str) else ' or '.join(types)}."
    title = schema.get("title")
    return f"Not accepted; expected: {title}." if title else "Not accepted by the schema of the credential type."


def _check_text(value: object, path: str) -> Iterator[Finding]:
    if isinstance(value, str):
        if any(_is_deceptive(character) for character in value):
            yield Finding(path, "Must not hold control characters or marks that change the direction of text.")
    elif isinstance(value, Mapping):
        for member, inner in value.items():
            yield from _check_text(inner, _point_to(path, member))
    elif isinstance(value, Sequence):
        for index, inner in enumerate(value):
            yield from _check_text(inner, f"{path}/{index}")


def _is_deceptive(character: str) -> bool:
    return (
        character in _BIDI_MARKS
        or unicodedata.category(character) in _HIDDEN_CATEGORIES
        or unicodedata.bidirectional(character) in _BIDI_CLASSES
    )


def _check_dates(claims: Mapping[str, Any], now: datetime, today: date) -> Iterator[Finding]:
    for claim in _PAST_DATES:
        day = _read_date(claims, claim)
        if day is not None and day > today:
            yield Finding(f"/{claim}", "Must not be in the future in the rule's zone.")
        elif day is not None and day.year < OLDEST_YEAR:
            yield Finding(f"/{claim}", f"Must not be before {OLDEST_YEAR}.")
    for claim in _PAST_INSTANTS:
        instant = _read_instant(claims, claim)
        if instant is not None and instant > now + CLOCK_LEEWAY:
            yield Finding(f"/{claim}", "Must not be in the future.")
        elif instant is not None and instant.year < OLDEST_YEAR:
            yield Finding(f"/{claim}", f"Must not be before {OLDEST_YEAR}.")
    last_day = _read_date(claims, "valid_until")
    if last_day is not None and last_day < today:
        yield Finding("/valid_until", "Must not be in the past in the rule's zone.")


def _check_tax_years(claims: Mapping[str, Any], today: date) -> Iterator[Finding]:
    years = claims.get("tax_years")
    for index, year in enumerate(years if isinstance(years, list) else ()):
        if isinstance(year, float):  # JSON Schema counts 2024.0 as an integer; what we sign has one spelling
            yield Finding(f"/tax_years/{index}", "Must be of JSON type integer, without a fraction.")
        elif isinstance(year, int) and year > today.year:
            yield Finding(f"/tax_years/{index}", "Must not be in the future in the rule's zone.")


def _check_age(claims: Mapping[str, Any], today: date) -> Iterator[Finding]:
    born_on, stated = _read_date(claims, "birthdate"), claims.get("age_over_18")
    if born_on is None or not isinstance(stated, bool) or born_on > today:
        return
    if stated != (years_between(born_on, today) >= ADULT_AGE):
        yield Finding("/age_over_18", "Contradicts the date of birth.")


def _check_lei(claims: Mapping[str, Any]) -> Iterator[Finding]:
    lei = claims.get("lei")
    if isinstance(lei, str) and re.fullmatch("[0-9A-Z]{18}[0-9]{2}", lei) and not _has_lei_check_digits(lei):
        yield Finding("/lei", "The check digits of the legal entity identifier are wrong.")


def _has_lei_check_digits(lei: str) -> bool:
    """Tell whether the ISO 7064 mod 97-10 check holds. Source: ISO 17442-1, annex A."""
    return int("".join(str(int(character, 36)) for character in lei)) % 97 == 1


def _check_attester(claims: Mapping[str, Any], attester_class: str | None) -> Iterator[Finding]:
    if "attester_class" not in claims:
        yield Finding("/attester_class", "This claim is required: the organisation has no attester class.")
    elif claims["attester_class"] != attester_class:
        yield Finding("/attester_class", "Must equal the attester class of the organisation.")


def _read_date(claims: Mapping[str, Any], claim: str) -> date | None:
    try:
        return parse_date(claims.get(claim))
    except ValueError:
        return None  # absent, or reported by the schema


def _read_instant(claims: Mapping[str, Any], claim: str) -> datetime | None:
    try:
        return parse_instant(claims.get(claim))
    except ValueError:
        return None  # absent, or reported by the schema
