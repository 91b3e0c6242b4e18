"""A second, independent reading of the transfer rules, to hold against the service's own.

It was written from the rule book and the law's text alone, and shares no code with the service. It is slow and plain
on purpose: one function per rule, in the order a lawyer would ask. Where the book leaves a question open, the check
says so and the reference has no opinion, rather than repeating somebody's guess.
"""

from tests.reference.evaluate import evaluate_reference
from tests.reference.regimes import PRIMARY
from tests.reference.verdict import Verdict

COVERED_REGIMES = frozenset(PRIMARY)

__all__ = ["COVERED_REGIMES", "Verdict", "evaluate_reference"]
