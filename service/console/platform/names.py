"""Names that people give: of securities, offerings, entries and investors."""

import re
from typing import Annotated

from fastapi import Path

from service.errors import InvalidInputError

_PATTERN = "[A-Za-z0-9_.-]{1,64}"
Id = Annotated[str, Path(pattern=f"^{_PATTERN}$")]


class NameUnusableError(InvalidInputError):
    """A name is 1 to 64 letters, digits, dots, hyphens and underscores."""

    code = "name_unusable"


def check_id(text: str) -> str:
    """Return the name.

    Raises:
        NameUnusableError: See there.
    """
    if re.fullmatch(_PATTERN, text) is None or not text.strip("."):
        raise NameUnusableError("A name is 1 to 64 letters, digits, dots, hyphens and underscores.")
    return text
