"""Everything that a decision was made from, so that anybody can make it again without us.

The facts are in the scenario format; every one names its source. Attributes that no rule reads never enter.

Source: gate.md section 4.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from service.gate.assessment import Assessment, Inquiry, Part
from service.gate.decision_format import BUNDLE_FORMAT
from service.gate.decisions import SignedDecision, format_instant
from service.gate.held_credentials import HeldCredential


def collect_inputs(inquiry: Inquiry, assessment: Assessment) -> dict[str, Any]:
    """Collect what a decision is made from, with a salt: its digest is signed, and must not let facts be guessed."""
    head, verdict = inquiry.access.head, assessment.verdict
    return {
        "format": BUNDLE_FORMAT,
        "salt": secrets.token_urlsafe(16),
        "decided_at": format_instant(inquiry.now),
        "rules": {"version": verdict.rules_version, "sha256": verdict.rules_sha256},
        "security": {"id": head.id, "version": head.version},
        "trust": {"version": inquiry.organization.trust_version},
        "evaluations": [_describe_part(part) for part in assessment.parts],
        "tried": [_describe_part(part) for part in assessment.tried],
        "credentials": [_describe_credential(each) for each in assessment.credentials],
    }


def _describe_part(part: Part) -> dict[str, Any]:
    offering = {"id": part.offering["id"], "version": part.offering["version"]}
    return {"offering": offering, "facts": part.facts, "sources": part.sources}


def build_bundle(inputs: dict[str, Any], signed: SignedDecision, public_jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Build the bundle of one decision."""
    decision = {"decision_hash": signed.decision_hash, "jws": signed.jws, "public_jwk": dict(public_jwk)}
    return inputs | {"decision": {"payload": json.loads(signed.payload), **decision}}


def _describe_credential(credential: HeldCredential) -> dict[str, Any]:
    reading = credential.reading
    status = None
    if reading is not None:
        status = {
            "uri": credential.status_uri,
            "index": credential.status_index,
            "value": reading.value,
            "issued_at": format_instant(reading.issued_at) if reading.issued_at else None,
            "source": reading.source,
            "stale": reading.stale,
        }
    return {
        "id": credential.id,
        "type": credential.type,
        "issuer": credential.issuer,
        "digest": credential.digest,
        "expires_at": format_instant(credential.expires_at),
        "trust": credential.distrust or "trusted",
        "status": status,
    }


def dump_bundle(bundle: dict[str, Any]) -> str:
    """Return the bundle's text as it is kept."""
    return json.dumps(bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
