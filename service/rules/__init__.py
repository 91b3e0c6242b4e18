"""Which transfers may happen: rule packs with their citations, and the one evaluation. Pure."""

from service.rules.catalog import REGIMES, RULES_SHA256
from service.rules.decision import Evaluation, Obligation, Reason, Remedy
from service.rules.engine import evaluate_transfer
from service.rules.facts import InvalidFactsError
from service.rules.law import RULES_VERSION

__all__ = [
    "REGIMES",
    "RULES_SHA256",
    "RULES_VERSION",
    "Evaluation",
    "InvalidFactsError",
    "Obligation",
    "Reason",
    "Remedy",
    "evaluate_transfer",
]
