"""Make a decision again from its bundle, offline, and compare. Pure.

A replay proves that the signed answer follows from the recorded inputs under the named rules. That the key belongs to
the organisation that ``iss`` names is for its DID document to say.

Source: gate.md section 4; api.md section 1, ``replay``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from service.credentials.canonical import canonicalize
from service.credentials.jose import jwk_thumbprint, load_key, parse_json, parse_jws, verify_jws
from service.errors import MalformedError, ServiceError
from service.gate.decision_format import BUNDLE_FORMAT, DECISION_TYP, FIRST_FORMAT, hash_canonical
from service.gate.verdict import Verdict, describe_tried, evaluate_encoded
from service.rules.catalog import digest_rules
from service.rules.law import Law, UnknownRulesVersionError, choose_law

MAX_BUNDLE_BYTES = 4_194_304
_COMPARED = ("outcome", "reasons", "obligations", "route", "max_permitted_quantity", "offerings_tried")


class UnreadableBundleError(MalformedError):
    """The file is no decision bundle."""

    code = "unreadable_bundle"


class RulesUnavailableError(ServiceError):
    """The bundle was decided under rules that this version of the service does not hold."""

    code = "rules_unavailable"


def replay_text(text: bytes) -> list[str]:
    """Replay one bundle.

    Returns:
        A line per mismatch; none if the decision comes out the same and its signature holds.

    Raises:
        UnreadableBundleError: The file is no decision bundle.
        RulesUnavailableError: See ``code``.
    """
    try:
        bundle = parse_json(text, max_bytes=MAX_BUNDLE_BYTES)
        return list(_compare(bundle))
    except RulesUnavailableError:
        raise
    except (ServiceError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableBundleError(f"This is no decision bundle ({type(error).__name__}).") from error


def _compare(bundle: Mapping[str, Any]) -> Iterator[str]:
    if bundle["format"] not in (FIRST_FORMAT, BUNDLE_FORMAT):
        raise UnreadableBundleError("The format of the bundle is not known.")
    law, payload = _find_law(bundle["rules"]), bundle["decision"]["payload"]
    verdict = evaluate_encoded([each["facts"] for each in bundle["evaluations"]], law)
    tried = [describe_tried(each["offering"]["id"], evaluate_encoded([each["facts"]], law)) for each in bundle["tried"]]
    yield from _compare_answer({**_describe(verdict), "offerings_tried": tried or None}, payload)
    inputs = {name: value for name, value in bundle.items() if name not in ("decision", "identifying")}
    if hash_canonical(inputs) != payload["inputs_sha256"]:
        yield "inputs: the bundle does not hold what was decided on"
    yield from _compare_parties(bundle)
    yield from _check_signature(bundle["decision"])


def _compare_parties(bundle: Mapping[str, Any]) -> Iterator[str]:
    """Compare what leads to the parties with what the inputs commit to; what was erased is not there to compare."""
    committed = {each["party"]: each["sha256"] for each in bundle.get("parties", ())}
    for opening in bundle.get("identifying", ()):
        expected = committed.get(opening["party"])
        if expected is None or (opening.get("erased") is not True and hash_canonical(opening) != expected):
            yield f"identifying: not what was decided on for the party {opening['party']}"


def _find_law(rules: Mapping[str, Any]) -> Law:
    try:
        law = choose_law(rules["version"])
        if digest_rules(law) == rules["sha256"]:
            return law
    except UnknownRulesVersionError:
        pass
    raise RulesUnavailableError(f"The bundle needs the rules {rules['version']} ({rules['sha256']}).")


def _describe(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "reasons": list(verdict.reasons),
        "obligations": list(verdict.obligations),
        "route": verdict.route,
        "max_permitted_quantity": None if verdict.max_quantity is None else str(verdict.max_quantity),
    }


def _compare_answer(again: Mapping[str, Any], payload: Mapping[str, Any]) -> Iterator[str]:
    for name in _COMPARED:
        if again[name] != payload.get(name):
            yield f"{name}: decided {payload.get(name)!r}, comes out as {again[name]!r}"


def _check_signature(decision: Mapping[str, Any]) -> Iterator[str]:
    payload, jwk = decision["payload"], decision["public_jwk"]
    if hash_canonical(payload) != decision["decision_hash"]:
        yield "decision_hash: not the hash of the payload"
    parsed = parse_jws(decision["jws"])
    try:
        verify_jws(parsed, load_key(jwk), expected_typ={DECISION_TYP})
    except ServiceError as error:
        yield f"jws: {error.code}"
    if parsed.payload != canonicalize(dict(payload)):
        yield "jws: signs another payload"
    if parsed.header.get("kid") != f"{payload['iss']}#{jwk_thumbprint(jwk)}":
        yield "jws: names another key"
