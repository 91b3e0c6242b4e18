"""Values on a page by their names: countries, categories, choices, yes and no, where the language files have them."""

from typing import Any

from service.console.translation import find_text, translate

COUNTRIES = frozenset(
    {"countries", "countries_allowed", "countries_blocked", "country", "jurisdiction", "jurisdictions", "nationality"}
)
_BY_RULE = frozenset({"category", "regime"})
_AREAS = {
    "actions": "platform.option",
    "attester_class": "platform.option",
    "detail": "platform.detail",
}


def name_value(language: str, name: str, value: Any) -> str:
    """Say a value in a language; a code that has a name is said by its name, with the code behind it.

    Args:
        name: Of the claim, figure or term that has the value.
        value: As JSON has it.
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return translate(language, "fields.yes" if value else "fields.no")
    if isinstance(value, list | tuple):
        return translate(language, "fields.and").join(name_value(language, name, each) for each in value)
    if isinstance(value, dict):
        return translate(language, "fields.and").join(f"{key}: {each}" for key, each in value.items())
    return _name_text(language, name, str(value))


def name_jurisdiction(language: str, code: str) -> str:
    """Return the name of a country, or of a jurisdiction that is none; a code without a name stays."""
    return find_text(language, f"countries.{code}") or code


def _name_text(language: str, name: str, text: str) -> str:
    areas = (f"claims.{name}", f"choices.{name}", *([_AREAS[name]] if name in _AREAS else []))
    said = next((word for area in areas if (word := find_text(language, f"{area}.{text}"))), None)
    if said is not None:
        return said
    found = _find_coded(language, name, text)
    return text if found is None else translate(language, "fields.named", name=found, code=text)


def _find_coded(language: str, name: str, code: str) -> str | None:
    if name in COUNTRIES:
        return find_text(language, f"countries.{code}")
    if name in _BY_RULE:
        return find_text(language, f"purposes.{code}") or find_text(language, f"rules.{code}")
    return None
