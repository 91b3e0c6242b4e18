"""The service's rules against a second reading of the same book: neither may permit what the other denies."""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.rules import evaluate_transfer
from service.rules.catalog import REGIMES
from service.rules.decision import Evaluation
from service.rules.scenario import load_scenario
from tests.reference import COVERED_REGIMES, evaluate_reference
from tests.reference.strategies import complete_facts, partial_facts

ASKED_EXAMPLES = os.environ.get("GOODSTANDING_EXAMPLES")
EXAMPLES = int(ASKED_EXAMPLES or 100)

REGIMES_OF_BOTH = sorted(COVERED_REGIMES & REGIMES.keys())

compared = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=ASKED_EXAMPLES is None,  # a long run looks elsewhere each time
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def evaluate_service(facts: dict[str, Any]) -> Evaluation:
    head = {"id": "reference", "title": "drawn", "kind": "transfer", "rule": ["drawn"], "confidence": "H"}
    return evaluate_transfer(load_scenario({**head, "given": facts, "expect": {}}).facts)


def assert_agreement(facts: dict[str, Any]) -> None:
    expected = evaluate_reference(facts)
    if expected is None:
        return
    actual = evaluate_service(facts)
    codes = {reason.code for reason in actual.reasons}
    told = f"service {sorted(codes)}, reference {sorted(expected.codes)}: {json.dumps(facts)}"
    assert actual.outcome == expected.outcome, told
    if "INPUT_MISSING" not in expected.codes | codes:  # else the order of reading decides what else is said
        assert expected.codes <= codes, told


@pytest.mark.parametrize("regime", REGIMES_OF_BOTH)
@compared
@given(st.data())
def test_complete_facts(regime: str, data: st.DataObject) -> None:
    assert_agreement(data.draw(complete_facts(regime)))


@pytest.mark.parametrize("regime", REGIMES_OF_BOTH)
@compared
@given(st.data())
def test_facts_with_gaps(regime: str, data: st.DataObject) -> None:
    assert_agreement(data.draw(partial_facts(regime)))
