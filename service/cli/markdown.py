"""Tables of the generated pages."""

from collections.abc import Iterable, Sequence


def to_row(*cells: object) -> str:
    """Return one row; nothing in a cell ends it."""
    return "| " + " | ".join(str(cell).replace("``", "`").replace("|", "\\|") for cell in cells) + " |"


def to_table(columns: Sequence[str], rows: Iterable[str]) -> str:
    """Return a table, and a line after it."""
    return "\n".join([to_row(*columns), "|" + "---|" * len(columns), *rows, ""])
