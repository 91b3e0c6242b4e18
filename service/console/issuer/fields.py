"""Fields of a form that is made from a description: of a rule's figures, or of a credential type's claims."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData

from service.console.forms import text_of
from service.errors import InvalidInputError

AMOUNT, WHOLE, DAY, INSTANT, FLAG, CHOICE, TEXT, LINES, YEARS = (
    "amount",
    "whole",
    "day",
    "instant",
    "flag",
    "choice",
    "text",
    "lines",
    "years",
)
_GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_MINUTES = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")


class FieldError(InvalidInputError):
    """A field holds what cannot be read; ``errors`` names each."""

    code = "field_invalid"


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: Of the figure or claim; the form's field is ``field.<name>``.
        kind: How it is entered and read.
        label: In the page's language.
        hint: What it means, or nothing.
        choices: Values of a ``choice``.
        required: Whether the description says that it has to be there.
    """

    name: str
    kind: str
    label: str
    hint: str = ""
    choices: Sequence[str] = ()
    required: bool = False
    choice_labels: Mapping[str, str] = field(default_factory=dict)


def read_typed(fields: Sequence[Field], form: FormData) -> dict[str, str]:
    """Return what was typed, as it was typed, by name: for showing the form again."""
    return {each.name: text_of(form, f"field.{each.name}") for each in fields}


def read_values(fields: Sequence[Field], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return JSON values of the fields that were filled in.

    Raises:
        FieldError: One that cannot be what it should be.
    """
    values: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for each in fields:
        if not typed[each.name]:
            continue
        try:
            values[each.name] = _read(each.kind, typed[each.name])
        except ValueError:
            errors.append({"path": f"/{each.name}", "detail": ""})
    if errors:
        raise FieldError("Some fields cannot be read.", errors=errors)
    return values


def write_typed(fields: Sequence[Field], values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as they would be typed; what a value does not say is empty."""
    return {each.name: _write(each.kind, values.get(each.name)) for each in fields}


def _read(kind: str, text: str) -> Any:
    if kind in (AMOUNT, WHOLE):
        return text.replace(",", "") if _GROUPED.fullmatch(text) else text
    if kind == FLAG:
        return {"yes": True, "no": False}[text] if text in ("yes", "no") else _refuse()
    if kind == LINES:
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == YEARS:
        return [int(part) for part in re.split(r"[\s,;、，]+", text) if part]
    if kind == INSTANT:
        return f"{text}:00Z" if _MINUTES.fullmatch(text) else text
    return text


def _refuse() -> bool:
    raise ValueError("neither yes nor no")


def _write(kind: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ("\n" if kind == LINES else ", ").join(map(str, value))
    if kind == INSTANT:
        return str(value)[:16]
    return str(value)
