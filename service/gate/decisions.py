"""The signed decision: its payload, its hash, its JWS, and the form in which it is answered.

Source: gate.md section 4; RFC 8785; api.md section 5.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from service.credentials.canonical import canonicalize
from service.credentials.jose import sign_jws
from service.gate.decision_format import DECISION_TYP, hash_bytes
from service.gate.projections import project_decision
from service.gate.rows import KeyRow
from service.gate.verdict import Verdict
from service.keys import Signer

NOT_ADVICE = "No legal advice. A permit means: no restriction found under these rules with these facts at this time."
_PROMISE = '"reservation":{'


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part, under pseudonyms that only the deciding organisation can resolve, or None."""

    seller: str | None
    buyer: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a decision is about: everything that it is bound to.

    Attributes:
        issuer: DID of the deciding organisation.
        relying_parties: DIDs of those who may rely on the decision: venue and registrar.
        request: Members of the transfer request that the signature binds.
        versions: Versions of rules, security, offering and trust.
        inputs_sha256: Digest of what the bundle holds; None in a preview.
    """

    id: str
    issuer: str
    relying_parties: tuple[str, ...]
    request: Mapping[str, Any]
    requested: int
    offering_id: str | None
    parties: Parties
    terms_sha256: str | None
    versions: Mapping[str, Any]
    inputs_sha256: str | None
    decided_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedDecision:
    """A decision as it is kept: canonical payload, its hash and the JWS over it."""

    payload: str
    decision_hash: str
    jws: str


def make_pseudonym(signer: Signer, *, org_id: str, investor_ref: str) -> str:
    """Return a name for an investor that is stable within one organisation and means nothing outside it."""
    digest = signer.authenticate(f"{org_id}\0{investor_ref}".encode(), purpose="gate.party")
    return urlsafe_b64encode(digest[:24]).decode()


def format_instant(instant: datetime) -> str:
    """Return an aware UTC instant as RFC 3339 with milliseconds."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def build_payload(subject: Subject, verdict: Verdict) -> dict[str, Any]:
    """Build the JWS payload: every member of the answer but the reservation's state, the hash, the JWS and the log."""
    payload = {
        "id": subject.id,
        "iss": subject.issuer,
        "iat": int(subject.decided_at.timestamp()),
        "exp": int(subject.expires_at.timestamp()),
        "aud": list(subject.relying_parties),
        "decision_maker": subject.issuer,
        "relying_parties": list(subject.relying_parties),
        "terms_sha256": subject.terms_sha256,
        "notice": NOT_ADVICE,
        **subject.request,
        "parties": {"seller": subject.parties.seller, "buyer": subject.parties.buyer},
        "offering_id": subject.offering_id,
        "outcome": verdict.outcome,
        "decided_at": format_instant(subject.decided_at),
        "expires_at": format_instant(subject.expires_at),
        "reasons": list(verdict.reasons),
        "obligations": list(verdict.obligations),
        "reservation": {"expires_at": format_instant(subject.expires_at)} if verdict.outcome == "permit" else None,
        "versions": dict(subject.versions),
        "inputs_sha256": subject.inputs_sha256,
        "projections": project_decision(
            verdict.outcome, verdict.reasons, max_quantity=verdict.max_quantity, requested=subject.requested
        ),
    }
    if verdict.route:
        payload["route"] = verdict.route
    if verdict.tried:
        payload["offerings_tried"] = list(verdict.tried)
    if verdict.max_quantity is not None:
        payload["max_permitted_quantity"] = str(verdict.max_quantity)
    return payload


def sign_decision(payload: Mapping[str, Any], *, key: KeyRow, signer: Signer) -> SignedDecision:
    """Sign a payload with the organisation's gate key; the signed bytes are the hashed ones."""
    canonical = canonicalize(dict(payload))
    header = {"alg": key.alg, "typ": DECISION_TYP, "kid": f"{payload['iss']}#{key.kid}"}
    jws = sign_jws(header, canonical, signer.signing_function(key.kid))
    return SignedDecision(canonical.decode(), hash_bytes(canonical), jws)


def build_answer(signed: SignedDecision, *, reservation_state: str | None, log: Mapping[str, Any]) -> dict[str, Any]:
    """Build the answer from what was signed, what became of the reservation, and the decision's place in the log."""
    answer: dict[str, Any] = json.loads(write_answer(signed, reservation_state=reservation_state, log=log))
    return answer


def write_answer(signed: SignedDecision, *, reservation_state: str | None, log: Mapping[str, Any]) -> str:
    """Write the answer around the text that was signed, which is not read and written again."""
    added = orjson.dumps({"decision_hash": signed.decision_hash, "decision": signed.jws, "log": dict(log)}).decode()
    # Within a text the quotes would be escaped, and no other member is called so.
    stated = f'{_PROMISE}"state":{json.dumps(reservation_state)},'
    return f"{signed.payload[:-1].replace(_PROMISE, stated, 1)},{added[1:]}"
