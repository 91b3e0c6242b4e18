"""What a qualified-investor credential's category means for a transfer's facts.

A pack lists its jurisdiction's ``CATEGORIES``; the gate turns the credentials that an investor presented into the facts
that the pack's rules read.

Source: rules.yaml, categories; FACTS.md, ``buyer.*``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CategoryFacts:
    """Categories of one kind, and the facts that holding one gives.

    Attributes:
        prefixes: Beginnings of the categories' ids, such as ``us.ai.``.
        flag: Fact that is true for whoever holds one, and false for everybody else.
        value_fact: Fact that names the kind of status, one of ``values``; ``otherwise`` for everybody else, or absent.
        values: From the beginning of a category's id to that value.
        date_fact: Fact that takes the day from which the status counts.
        verification: Whether the credential also says how it was verified, below ``verification``.
        opt_in_fact: Fact that is true where the credential's scope names the institution that asks.
    """

    prefixes: tuple[str, ...]
    flag: str | None = None
    value_fact: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    date_fact: str | None = None
    verification: bool = False
    opt_in_fact: str | None = None

    @property
    def jurisdiction(self) -> str:
        """First part of the categories' ids."""
        return self.prefixes[0].partition(".")[0]

    def covers(self, category: str) -> bool:
        """Tell whether a category belongs here."""
        return category.startswith(self.prefixes)

    def name_value(self, category: str) -> str | None:
        """Return the value that a category stands for, by the longest beginning that fits."""
        fitting = [prefix for prefix in self.values if category.startswith(prefix)]
        return self.values[max(fitting, key=len)] if fitting else None
