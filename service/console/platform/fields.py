"""Fields of the forms for terms: read from a form, checked by the models of the API, shown again with what was typed.

A field's ``path`` is the name in the form, and with dots the way to the member of the document: ``caps.holders``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from service.console.forms import text_of, texts_of
from service.console.translation import translate

TEXT, NUMBER, CHOICE, SEVERAL = "text", "number", "choice", "several"
FLAG, MAYBE, DAY, WORDS, LINES = "flag", "maybe", "day", "words", "lines"
_BETWEEN_WORDS = re.compile(r"[\s,;，、；]+")
_YES_OR_NO = {"yes": True, "no": False}
_WRONG = {
    TEXT: "platform.wrong.text",
    NUMBER: "platform.wrong.number",
    CHOICE: "platform.wrong.choice",
    SEVERAL: "platform.wrong.choice",
    FLAG: "platform.wrong.choice",
    MAYBE: "platform.wrong.choice",
    DAY: "platform.wrong.day",
    WORDS: "platform.wrong.words",
    LINES: "platform.wrong.lines",
}
_WHOLE = re.compile(r"[0-9]{1,10}")
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        kind: ``text``, ``number`` (whole), ``choice``, ``flag`` (a box), ``maybe`` (yes, no or not said), ``day``,
            ``words`` (a list on one line), ``lines`` (a list, one a line), ``several`` (boxes, each an option).
        options: Of a choice or of boxes; an empty one means that nothing is chosen.
        worded: Whether the options have texts of their own, ``platform.option.<option>``.
        required: Whether the browser asks for it.
        coded: Whether its values are codes that have names: countries, regimes.
        hint: Whether there is a text ``platform.hint.<path>``.
        empty: What an empty field stands for.
    """

    path: str
    kind: str = TEXT
    options: Sequence[str] = ()
    worded: bool = False
    coded: bool = False
    required: bool = False
    hint: bool = False
    empty: Any = None


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under one heading, ``platform.group.<key>``."""

    key: str
    fields: Sequence[Field]


def list_fields(groups: Iterable[Group]) -> list[Field]:
    """Return the fields of all groups."""
    return [field for group in groups for field in group.fields]


def read_document(form: FormData, fields: Iterable[Field]) -> dict[str, Any]:
    """Return what was typed as a document; what is empty takes the field's ``empty``."""
    document: dict[str, Any] = {}
    for field in fields:
        *way, name = field.path.split(".")
        inner = document
        for step in way:
            inner = inner.setdefault(step, {})
        inner[name] = _read(form, field)
    return document


def _read(form: FormData, field: Field) -> Any:
    text = text_of(form, field.path)
    if field.kind == FLAG:
        return text == "yes"
    if field.kind == SEVERAL:
        return texts_of(form, field.path)
    if not text:
        return field.empty
    match field.kind:
        case "maybe":
            return _YES_OR_NO.get(text, text)
        case "number":
            return int(text) if _WHOLE.fullmatch(text) else text
        case "words":
            return [word for word in _BETWEEN_WORDS.split(text) if word]
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
    return text


def keep_typed(form: FormData, fields: Iterable[Field]) -> dict[str, str]:
    """Return what was typed, to be shown again."""
    return {
        field.path: ", ".join(texts_of(form, field.path)) if field.kind == SEVERAL else text_of(form, field.path)
        for field in fields
    }


def show_document(document: Mapping[str, Any], fields: Iterable[Field]) -> dict[str, str]:
    """Return the texts of a form's fields for a document."""
    return {field.path: _show(find_member(document, field.path), field) for field in fields}


def find_member(document: Mapping[str, Any], path: str) -> Any:
    """Return a member by its path; None where there is none."""
    found: Any = document
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _show(value: Any, field: Field) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ("\n" if field.kind == LINES else ", ").join(map(str, value))
    return str(value)


def check_document(
    model: type[_Model], document: Mapping[str, Any], fields: Sequence[Field], language: str
) -> tuple[_Model | None, dict[str, str]]:
    """Return the document as the API would take it, or for each field in plain words what is wrong with it."""
    try:
        return model.model_validate(document), {}
    except ValidationError as error:
        problems = {}
        for finding in error.errors():
            path = ".".join(step for step in finding["loc"] if isinstance(step, str))
            field = next((each for each in fields if each.path == path), None)
            problems[field.path if field else ""] = _explain(field, finding["msg"], language)
        return None, problems


def _explain(field: Field | None, message: str, language: str) -> str:
    if field is None:
        return message
    return translate(language, _WRONG[field.kind])
