"""Everything that a decision was made from, so that anybody can make it again without us.

A bundle has two parts. What the rules read is kept in plain, under the decision's pseudonyms: facts in the scenario
format, every one with its source. What leads from there to a person (refs, ids and digests of credentials, places in
status lists) is sealed under that person's key; the plain part commits to it by a salted hash. So the decision stays
signed and replayable when the key is destroyed. Attributes that no rule reads never enter.

Source: gate.md section 4; docs/decisions/0014-what-of-a-decision-is-personal.md.
"""

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from service.credentials.canonical import canonicalize, join_members, write_canonical
from service.gate.assessment import Assessment, Inquiry, Part
from service.gate.decision_format import BUNDLE_FORMAT, FIRST_FORMAT, hash_bytes
from service.gate.decisions import SignedDecision, format_instant
from service.gate.held_credentials import HeldCredential
from service.gate.party_facts import Party
from service.storage.subject_keys import DataKey

_ROLES = ("seller", "buyer", "pledgor")
_SHARED = frozenset({"request", "offering", "security", "register", "standing"})
"""Kinds of sources that are the same for many decisions, and say nothing of a party."""
_SHARED_KEPT = 1_000


def write_inputs(inquiry: Inquiry, assessment: Assessment) -> str:
    """Write what a decision is made from, in canonical form, once for its digest and for the bundle.

    It has a salt: the digest is signed, and must not let facts be guessed.
    """
    head, verdict = inquiry.head, assessment.verdict
    names = {each.id: f"credential-{number}" for number, each in enumerate(assessment.credentials, 1)}
    members = {
        "format": BUNDLE_FORMAT,
        "salt": _new_salt(),
        "decided_at": format_instant(inquiry.now),
        "rules": {"version": verdict.rules_version, "sha256": verdict.rules_sha256},
        "security": {"id": head.id, "version": head.version},
        "trust": {"version": inquiry.organization.trust_version},
        "credentials": [_describe_credential(each, names) for each in assessment.credentials],
        "parties": [
            _seal_party(party, party.key, inquiry.name_party(party.ref), names)
            for party in assessment.parties
            if party.key is not None
        ],
    }
    texts = {name: write_canonical(value) for name, value in members.items()}
    texts["evaluations"] = _write_parts(inquiry, assessment.parts, names)
    texts["tried"] = _write_parts(inquiry, assessment.tried, names)
    return join_members(texts)


def _new_salt() -> str:
    return secrets.token_urlsafe(16)


def _write_parts(inquiry: Inquiry, parts: Iterable[Part], names: Mapping[str, str]) -> str:
    return f"[{','.join([_write_part(inquiry, part, names) for part in parts])}]"


def _write_part(inquiry: Inquiry, part: Part, names: Mapping[str, str]) -> str:
    named = {role: _hide_id(inquiry, part.facts, role) for role in _ROLES if role in part.facts}
    members = {
        "offering": write_canonical({"id": part.offering["id"], "version": part.offering["version"]}),
        "facts": write_canonical({**part.facts, **named}),
        "sources": _write_sources(part.sources, names),
    }
    return join_members(members)


def _write_sources(sources: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Write each source once: most facts share one of a few."""
    known: dict[int, str] = {}
    for source in sources.values():
        if id(source) not in known:
            known[id(source)] = _write_source(source, names)
    return join_members({path: known[id(source)] for path, source in sources.items()})


def _write_source(source: Mapping[str, Any], names: Mapping[str, str]) -> str:
    if source.get("kind") in _SHARED and "and" not in source:
        return _write_shared(tuple(source.items()))
    return write_canonical(_describe_source(source, names))


@lru_cache(_SHARED_KEPT)
def _write_shared(members: tuple[tuple[str, str | int], ...]) -> str:
    return write_canonical(dict(members))


def _hide_id(inquiry: Inquiry, facts: Mapping[str, Any], role: str) -> Any:
    """Put a pseudonym in the place of a party's id, but for the issuer itself, whom a rule knows by name.

    Rules compare ids and show none, so that the same comes out.
    """
    party = facts[role]
    if "id" not in party or party["id"] == facts.get("offering", {}).get("issuer"):
        return party
    return {**party, "id": inquiry.name_party(party["id"])}


def _describe_source(source: Any, names: Mapping[str, str]) -> Any:
    """Name a credential as the bundle does; a source may name another one beside itself."""
    if not isinstance(source, dict):
        return source
    if source.get("kind") == "credential":
        kept = {name: value for name, value in source.items() if name not in ("id", "digest")}
        return kept | {"name": names[source["id"]]}
    return {name: _describe_source(value, names) for name, value in source.items()}


def _describe_credential(credential: HeldCredential, names: Mapping[str, str]) -> dict[str, Any]:
    reading = credential.reading
    status = None
    if reading is not None:
        status = {
            "value": reading.value,
            "issued_at": format_instant(reading.issued_at) if reading.issued_at else None,
            "source": reading.source,
            "stale": reading.stale,
        }
    return {
        "name": names[credential.id],
        "type": credential.type,
        "issuer": credential.issuer,
        "expires_at": format_instant(credential.expires_at),
        "trust": credential.distrust or "trusted",
        "status": status,
    }


def _seal_party(party: Party, key: DataKey, pseudonym: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Commit to what leads to a party, and seal it; the salt keeps it from being guessed once it is gone."""
    opening = {
        "party": pseudonym,
        "salt": _new_salt(),
        "investor_ref": party.ref,
        "subject": party.subject,
        "credentials": [name_places(each, names[each.id]) for each in party.credentials],
    }
    canonical = canonicalize(opening)
    sealed = key.seal(canonical, context=f"bundle {pseudonym}")
    return {
        "party": pseudonym,
        "sha256": hash_bytes(canonical),
        "key": key.id,
        "sealed": b64encode(sealed).decode(),
    }


def name_places(credential: HeldCredential, name: str) -> dict[str, Any]:
    """Return what leads to a credential: its id, its digest, and its entries in status lists.

    Args:
        credential: Of a party.
        name: What the rest of the bundle calls it.
    """
    places = [{"status_uri": each.uri, "status_index": each.index} for each in credential.statuses]
    first = places[0] if places else {"status_uri": None, "status_index": None}
    opening = {"name": name, "id": credential.id, "digest": credential.digest, **first}
    return opening | {"further_statuses": places[1:]} if places[1:] else opening


def write_bundle(inputs: str, signed: SignedDecision, public_jwk: Mapping[str, Any]) -> str:
    """Return the text of one decision's bundle, as it is kept.

    Args:
        inputs: From ``write_inputs``.
    """
    decision = {"decision_hash": signed.decision_hash, "jws": signed.jws, "public_jwk": dict(public_jwk)}
    members = orjson.dumps(decision).decode()
    return f'{inputs[:-1]},"decision":{{"payload":{signed.payload},{members[1:]}}}'


def list_keys(bundle: Mapping[str, Any]) -> list[str]:
    """Return the ids of the keys that open a kept bundle."""
    return [each["key"] for each in bundle.get("parties", ())]


def open_bundle(bundle: Mapping[str, Any], keys: Mapping[str, DataKey]) -> dict[str, Any]:
    """Add what leads to the parties, as far as their keys are still there.

    Args:
        bundle: As it is kept.
        keys: By id.

    Raises:
        KeystoreError: What is sealed was altered.
    """
    if bundle["format"] == FIRST_FORMAT:
        return dict(bundle)
    return {**bundle, "identifying": [_open_party(each, keys.get(each["key"])) for each in bundle["parties"]]}


def _open_party(entry: Mapping[str, Any], key: DataKey | None) -> dict[str, Any]:
    if key is None:
        return {"party": entry["party"], "erased": True}
    opened = key.unseal(b64decode(entry["sealed"]), context=f"bundle {entry['party']}")
    opening: dict[str, Any] = json.loads(opened)
    return opening
