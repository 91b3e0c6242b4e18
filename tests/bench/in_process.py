"""What needs no HTTP and no database: one verification, and the rules."""

import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from service.cli.rule_scenarios import SCENARIOS_DIR, load_scenarios
from service.credentials.jose import parse_jws
from service.credentials.jwk import VerificationKey, load_key
from service.credentials.presentation import verify_presentation
from service.rules.engine import evaluate_transfer
from tests.bench.deployment import Bench
from tests.bench.load import Connection, Sample
from tests.bench.results import Row
from tests.bench.rounds import Pace, Side, measure_in_turns, say
from tests.bench.rows import AUDIENCE, NONCE, sample_presentation

RULES_A_SECOND = 10_000
FEWEST = 5  # scenarios, below which a regime's mean says little
_TRIAL_S = 0.2
Facts = Mapping[str, Any]


def repeat(function: Callable[[], Any]) -> Side:
    """Return the half that calls a function again and again."""

    async def measure(seconds: float) -> Sample:
        latencies = []
        started = begun = time.perf_counter()
        while begun - started < seconds:
            function()
            ended = time.perf_counter()
            latencies.append(ended - begun)
            begun = ended
        return Sample(latencies, begun - started)

    return Side(measure)


async def measure_in_process_verify(bench: Bench, pace: Pace) -> AsyncIterator[Row]:
    """Yield one SD-JWT VC with key binding against two raw P-256 verifications."""
    what = "in-process SD-JWT VC + KB verify"
    say(what)
    presentation = sample_presentation(bench)
    key = await _read_issuer_key(bench, parse_jws(presentation.split("~")[0]).header["kid"])
    private = ec.generate_private_key(ec.SECP256R1())
    algorithm, message = ec.ECDSA(hashes.SHA256()), secrets.token_bytes(600)
    signature, public = private.sign(message, algorithm), private.public_key()

    def two_raw() -> None:
        public.verify(signature, message, algorithm)
        public.verify(signature, message, algorithm)

    def verify() -> None:
        verify_presentation(
            presentation,
            key,
            expected_audience=AUDIENCE,
            expected_nonce=NONCE,
            now=datetime.now(UTC),
            max_age=timedelta(hours=1),
        )

    rounds = await measure_in_turns(repeat(verify), repeat(two_raw), pace)
    yield Row(what, "two P-256 verifications", 0.6, rounds, unit="verifications/s")


async def _read_issuer_key(bench: Bench, kid: str) -> VerificationKey:
    connection = Connection(bench.base_url)
    keys = (await connection.request("GET", f"{bench.issuer_path('kyc')}/jwks")).json()["keys"]
    connection.close()
    return next(load_key(jwk, alg="ES256", kid=kid) for jwk in keys if jwk["kid"] == kid)


async def measure_rules(pace: Pace) -> AsyncIterator[Row]:
    """Yield the regime of the lowest rate over its scenarios, and all scenarios.

    The floor visits every fact once. The aim is a number of calls a second, so the ratio to reach depends on the floor.
    """
    say("rules")
    by_regime: defaultdict[str, list[Facts]] = defaultdict(list)
    for scenario in load_scenarios(SCENARIOS_DIR):
        if scenario.kind == "transfer":
            by_regime[scenario.facts["offering"]["regime"]].append(scenario.facts)
    rates = {
        regime_id: (await _evaluate(facts, evaluate_transfer).run(_TRIAL_S)).rate
        for regime_id, facts in by_regime.items()
        if len(facts) >= FEWEST
    }
    costliest = min(rates, key=lambda regime_id: rates[regime_id])
    yield await _measure_rules(f"rules: evaluate, costliest ({costliest})", by_regime[costliest], pace)
    everything = [facts for group in by_regime.values() for facts in group]
    yield await _measure_rules("rules: evaluate, every own scenario", everything, pace)


async def _measure_rules(what: str, facts: Sequence[Facts], pace: Pace) -> Row:
    rounds = await measure_in_turns(_evaluate(facts, evaluate_transfer), _evaluate(facts, _visit), pace)
    row = Row(what, "visiting every fact once", 0.0, rounds, unit="evaluations/s")
    floor = row.median_of("floor", "rate")
    assert floor is not None
    return Row(what, row.against, round(RULES_A_SECOND / floor, 3), rounds, unit=row.unit)


def _evaluate(facts: Sequence[Facts], function: Callable[[Facts], Any]) -> Side:
    place = iter(range(10**12))
    return repeat(lambda: function(facts[next(place) % len(facts)]))


def _visit(value: Any) -> int:
    """Visit every fact once: the least that any function of the facts does."""
    if isinstance(value, dict):
        return sum(_visit(each) for each in value.values())
    return sum(_visit(each) for each in value) if isinstance(value, list) else 1
