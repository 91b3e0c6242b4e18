"""did:webvh: an honest history is read, and every way to forge, cut, reorder or smuggle one is refused."""

import copy
import json
import time
from collections.abc import Callable
from datetime import timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.did_web import MalformedDidError
from service.credentials.did_webvh import did_webvh_url, verify_did_log, verify_witnesses
from service.credentials.did_webvh_parameters import DidLogInvalidError, hash_multikey
from service.errors import ServiceError
from tests.unit.jose_support import SIGNERS
from tests.unit.webvh_support import KEYS, START, WebvhLog, build_proof, multikey

NOW = START + timedelta(days=300)
SCID = "QmdmPkUdYzbr9txmx8gM2rsHPgr5L6m3gHjJGAf4vUFoGE"
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "did_webvh.json").read_text())


def new_log(updates: int = 2, **parameters: Any) -> WebvhLog:
    log = WebvhLog()
    log.create(**parameters)
    for _ in range(updates):
        log.update()
    return log


def verify(log: WebvhLog, did: str | None = None) -> Any:
    return verify_did_log(did or log.did, log.body, now=NOW)


def refuse(log: WebvhLog, did: str | None = None) -> None:
    with pytest.raises(DidLogInvalidError):
        verify(log, did)


def witness(threshold: Any, *signers: Any) -> dict[str, Any]:
    return {"threshold": threshold, "witnesses": [{"id": f"did:key:{multikey(signer)}"} for signer in signers]}


@pytest.mark.parametrize("vector", VECTORS["logs"], ids=lambda vector: vector["name"])
def test_logs_of_other_implementations_verify(vector: dict[str, Any]) -> None:
    body = "".join(f"{line}\n" for line in vector["log"]).encode()
    log = verify_did_log(vector["did"], body, now=NOW)
    assert log.versions[-1].document["id"] == vector["did"]
    assert log.deactivated == vector["deactivated"]
    if log.needs_witnesses:
        verify_witnesses(log, json.dumps(vector["witness"]).encode(), now=NOW)


def test_an_honest_history_is_read_from_its_first_version_to_its_last() -> None:
    log = new_log()
    read = verify(log)
    assert [version.version_id[:2] for version in read.versions] == ["1-", "2-", "3-"]
    assert read.versions[1].version_at == START + timedelta(days=1)
    assert not read.deactivated
    assert not read.needs_witnesses
    assert verify_did_log(log.did, log.body.removesuffix(b"\n"), now=NOW) == read


def test_keys_change_from_one_entry_to_the_next() -> None:
    log = new_log(0)
    log.update(updateKeys=[multikey(KEYS[1]), multikey(KEYS[2])])
    log.update(signers=[KEYS[2]])
    assert len(verify(log).versions) == 3
    log.update(signers=[KEYS[0]])
    refuse(log)


def test_a_new_key_does_not_sign_itself_in() -> None:
    log = new_log(0)
    log.update(signers=[KEYS[1]], updateKeys=[multikey(KEYS[1])])
    refuse(log)


def test_every_signature_of_an_entry_must_be_good() -> None:
    log = new_log(0, updateKeys=[multikey(KEYS[0]), multikey(KEYS[1])])
    log.update(signers=[KEYS[0], KEYS[1]])
    assert verify(log)
    log.update(signers=[KEYS[0], KEYS[2]])
    refuse(log)


def test_keys_of_another_kind_sign_no_entry() -> None:
    log = WebvhLog()
    log.create(signer=SIGNERS["ES256"])
    refuse(log)


def committed() -> WebvhLog:
    return new_log(0, nextKeyHashes=[hash_multikey(multikey(KEYS[1]))])


def test_keys_that_were_committed_to_sign_the_entry_that_names_them() -> None:
    log = committed()
    log.update(signers=[KEYS[1]], updateKeys=[multikey(KEYS[1])], nextKeyHashes=[])
    log.update(signers=[KEYS[1]], updateKeys=[multikey(KEYS[2])])
    assert len(verify(log).versions) == 3


@pytest.mark.parametrize(
    ("signer", "parameters"),
    [
        (0, {}),
        (0, {"nextKeyHashes": []}),
        (1, {"updateKeys": [multikey(KEYS[1])]}),
        (0, {"updateKeys": [multikey(KEYS[0])], "nextKeyHashes": []}),
        (2, {"updateKeys": [multikey(KEYS[2])], "nextKeyHashes": []}),
        (2, {"updateKeys": [multikey(KEYS[1]), multikey(KEYS[2])], "nextKeyHashes": []}),
        (0, {"updateKeys": [multikey(KEYS[1])], "nextKeyHashes": []}),
        (0, {"updateKeys": [], "nextKeyHashes": []}),
        (0, {"updateKeys": None, "nextKeyHashes": None}),
    ],
    ids=count(),
)
def test_keys_that_nobody_committed_to_are_refused(signer: int, parameters: dict[str, Any]) -> None:
    log = committed()
    log.update(signers=[KEYS[signer]], **parameters)
    refuse(log)


def test_a_deactivated_identifier_gets_no_further_version() -> None:
    log = new_log(0)
    log.update(deactivated=True)
    assert verify(log).deactivated
    log.update(deactivated=False)
    refuse(log)


def test_an_identifier_moves_only_if_it_may_and_names_where_it_was() -> None:
    for portable, also, passes in ((True, True, True), (True, False, False), (False, True, False)):
        log = new_log(0, portable=portable)
        old = log.did
        log.place = "elsewhere.example:path"
        log.update({"alsoKnownAs": [old]} if also else None)
        if passes:
            assert verify(log).versions[-1].document["id"] == log.did
            assert verify(log, old)
        else:
            refuse(log)


def test_an_identifier_that_was_settled_does_not_move() -> None:
    log = new_log(0, portable=True)
    log.update(portable=False)
    old, log.place = log.did, "elsewhere.example"
    log.update({"alsoKnownAs": [old]})
    refuse(log)


def test_a_log_is_about_its_own_identifier() -> None:
    log = new_log()
    refuse(log, new_log(0, ttl=1).did)
    refuse(log, f"did:webvh:{log.scid}:other.example")
    refuse(log, f"did:webvh:{SCID}:{log.place}")


def test_every_version_has_the_hash_of_the_identifier() -> None:
    refuse(new_log(0, scid=SCID))
    log = new_log(0, portable=True)
    log.update({"id": f"did:webvh:{SCID}:{log.place}", "alsoKnownAs": [log.did]})
    refuse(log)


def swap(log: WebvhLog) -> None:
    log.entries[1], log.entries[2] = log.entries[2], log.entries[1]


def repeat(log: WebvhLog) -> None:
    log.entries.append(copy.deepcopy(log.entries[-1]))


def skip(log: WebvhLog) -> None:
    del log.entries[1]


def cut_the_beginning(log: WebvhLog) -> None:
    del log.entries[0]


def change_state(log: WebvhLog) -> None:
    log.entries[1]["state"]["alsoKnownAs"] = ["did:web:attacker.example"]


def change_time(log: WebvhLog) -> None:
    log.entries[2]["versionTime"] = (START + timedelta(days=5)).isoformat()


def forge_first(log: WebvhLog) -> None:
    """Hash and sign the first entry anew: all is right but the identifier."""
    first = {name: value for name, value in log.entries[0].items() if name != "proof"}
    first["parameters"] |= {"updateKeys": [multikey(KEYS[1])]}
    log.entries.clear()
    log.append({**first, "versionId": log.scid}, [KEYS[1]])


def forge_proof(log: WebvhLog) -> None:
    log.entries[1]["proof"] = log.entries[2]["proof"]


def drop_proof(log: WebvhLog) -> None:
    log.entries[1]["proof"] = []


def change_suite(log: WebvhLog) -> None:
    log.entries[1]["proof"][0]["cryptosuite"] = "eddsa-rdfc-2022"


def resign(**changes: Any) -> Callable[[WebvhLog], None]:
    def act(log: WebvhLog) -> None:
        entry = {name: value for name, value in log.entries[2].items() if name != "proof"}
        log.entries[2]["proof"] = [build_proof(entry, KEYS[0], **changes)]

    return act


def update(state: dict[str, Any] | None = None, **more: Any) -> Callable[[WebvhLog], None]:
    return lambda log: log.update(state, **more)


ATTACKS: list[Callable[[WebvhLog], None]] = [
    swap,
    repeat,
    skip,
    cut_the_beginning,
    change_state,
    change_time,
    forge_first,
    forge_proof,
    drop_proof,
    change_suite,
    resign(proofPurpose="authentication"),
    resign(verificationMethod=multikey(KEYS[0])),
    resign(verificationMethod=f"did:key:{multikey(KEYS[0])}#{multikey(KEYS[1])}"),
    resign(verificationMethod=f"did:key:{multikey(KEYS[1])}#{multikey(KEYS[0])}"),
    resign(expires="2026-01-02T00:00:00Z"),
    update(at=START + timedelta(days=2)),
    update(at=START),
    update(at=NOW + timedelta(minutes=6)),
    update(method="did:webvh:0.5"),
    update(method="did:webvh:2.0"),
    update(scid=SCID),
    update(portable=True),
    update(unknown=1),
    update(updateKeys="z6Mk"),
    update(updateKeys=[multikey(KEYS[0])] * 33),
    update(deactivated="true"),
    update(ttl=-1),
    update(ttl=True),
    update({"id": f"did:webvh:{SCID}:issuer.example"}),
    update({"id": "did:web:issuer.example"}),
    update({"id": 1}),
    update(witness={"threshold": 1}),
    update(witness={"threshold": 0, "witnesses": [{"id": f"did:key:{multikey(KEYS[1])}"}]}),
    update(witness=witness(2, KEYS[1])),
    update(witness=witness(2, KEYS[1], KEYS[1])),
    update(witness=witness(True, KEYS[1])),
    update(witness=witness(1.0, KEYS[1])),
    update(witness=witness(1, SIGNERS["ES256"])),
    update(witness={"threshold": 1, "witnesses": [{"id": multikey(KEYS[1])}]}),
    update(witness=[]),
    lambda log: log.entries[2].update(extra=1),
    lambda log: log.entries[2].pop("parameters"),
    lambda log: log.entries[2].update(versionId=log.entries[2]["versionId"] + "-1"),
    lambda log: log.entries[2].update(versionId=0),
    lambda log: log.entries.clear(),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=count())
def test_a_history_that_does_not_prove_itself_is_refused(attack: Callable[[WebvhLog], None]) -> None:
    log = new_log()
    verify(log)
    attack(log)
    refuse(log)


@pytest.mark.parametrize("line", [b"", b"\n", b"[]\n", b"null\n", b"{}\n", b'{"a":1,"a":2}\n', b"\xff\n"])
def test_a_log_with_lines_that_are_no_entries_is_refused(line: bytes) -> None:
    log = new_log()
    for body in (line, log.body + line) if line else (line,):
        with pytest.raises(DidLogInvalidError):
            verify_did_log(log.did, body, now=NOW)


def test_a_time_must_be_in_utc() -> None:
    for zone in (None, timezone(timedelta(hours=2))):
        log = WebvhLog()
        log.create(at=START.replace(tzinfo=zone))
        refuse(log)


def test_a_log_that_is_too_long_costs_little() -> None:
    log = new_log(0)
    started = time.process_time()
    for body in (log.body * 300, b" " * 300_000, log.body + b'{"versionId":"' + b"a" * 300_000 + b'"}\n'):
        with pytest.raises(DidLogInvalidError):
            verify_did_log(log.did, body, now=NOW)
    assert time.process_time() - started < 0.2


A, B, C = KEYS[1], KEYS[2], KEYS[3]


def witnessed() -> WebvhLog:
    log = new_log(1, witness=witness(2, A, B, C))
    log.update(witness=witness(1, A))
    log.update(witness={})
    return log


def approvals(log: WebvhLog, *entries: Any) -> None:
    verify_witnesses(verify(log), json.dumps(list(entries)).encode(), now=NOW)


def test_witnesses_approve_each_version_or_a_later_one() -> None:
    log = witnessed()
    assert verify(log).needs_witnesses
    approvals(log, log.approve(2, A, B), log.approve(3, A))
    approvals(log, log.approve(0, A, B), log.approve(1, C, B), log.approve(2, A, C), log.approve(3, A))
    log.update()
    approvals(log, log.approve(2, B, C), log.approve(4, A))


@pytest.mark.parametrize(
    "choose",
    [
        lambda log: [],
        lambda log: [log.approve(2, A, B)],
        lambda log: [log.approve(1, A, B), log.approve(2, A), log.approve(3, A)],
        lambda log: [log.approve(2, A, A), log.approve(3, A)],
        lambda log: [log.approve(2, A), log.approve(2, A), log.approve(3, A)],
        lambda log: [log.approve(2, A, KEYS[0]), log.approve(3, A)],
        lambda log: [log.approve(2, A, B), log.approve(3, B)],
        lambda log: [log.approve(2, A, B), log.approve(3, A, proofPurpose="authentication")],
        lambda log: [log.approve(2, A, B), log.approve(3, A, cryptosuite="eddsa-rdfc-2022")],
        lambda log: [
            log.approve(2, A, B),
            log.approve(3, B, verificationMethod=f"did:key:{multikey(A)}#{multikey(A)}"),
        ],
        lambda log: [
            log.approve(2, A, B),
            log.approve(3, B, verificationMethod=f"did:key:{multikey(B)}#{multikey(A)}"),
        ],
        lambda log: [log.approve(2, A, B), {**log.approve(3, A), "versionId": log.entries[2]["versionId"]}],
        lambda log: [log.approve(2, A, B), {**log.approve(3, A), "versionId": "9-" + SCID}],
        lambda log: [log.approve(2, A, B), {"versionId": log.entries[3]["versionId"]}],
        lambda log: [log.approve(2, *[A] * 150), log.approve(3, *[A] * 51), log.approve(2, B)],
        lambda log: [5],
        lambda log: [{"proof": []}],
        lambda log: [{"versionId": "1", "proof": {}}],
    ],
    ids=count(),
)
def test_a_version_without_enough_approvals_is_refused(choose: Any) -> None:
    log = witnessed()
    with pytest.raises(DidLogInvalidError):
        approvals(log, *choose(log))


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"5", b"[" * 100_000])
def test_proofs_of_witnesses_that_cannot_be_read_are_refused(body: bytes) -> None:
    log = verify(witnessed())
    with pytest.raises(DidLogInvalidError):
        verify_witnesses(log, body, now=NOW)


@pytest.mark.parametrize(
    ("rest", "url"),
    [
        ("example.com", "https://example.com/.well-known/did.jsonl"),
        ("issuer.example.com", "https://issuer.example.com/.well-known/did.jsonl"),
        ("example.com:dids:issuer", "https://example.com/dids/issuer/did.jsonl"),
        ("example.com%3A3000:dids:issuer", "https://example.com:3000/dids/issuer/did.jsonl"),
        ("xn--jp-cd2fp15c.xn--fsq.jp", "https://xn--jp-cd2fp15c.xn--fsq.jp/.well-known/did.jsonl"),
    ],
)
def test_addresses_of_the_specification(rest: str, url: str) -> None:
    assert did_webvh_url(f"did:webvh:{SCID}:{rest}") == url


@pytest.mark.parametrize(
    "did",
    [
        f"did:webvh:{SCID}",
        f"did:webvh:{SCID}:",
        f"did:webvh:{SCID[1:]}:example.com",
        f"did:webvh:{SCID}m:example.com",
        f"did:webvh:{SCID[:-1]}0:example.com",
        "did:webvh:{SCID}:example.com",
        f"did:web:{SCID}:example.com",
        "did:webvh:example.com",
        *(
            f"did:webvh:{SCID}:{rest}"
            for rest in (
                "127.0.0.1",
                "127.0.0.1#x",
                "127.0.0.1%3a8080",
                "127%2E0%2E0%2E1",
                "127%2e0%2e0%2e1",
                "example.com:..:..:admin",
                "example.com:%2E%2E:admin",
                "example.com:a%2Fb",
                "example.com::a",
                "example.com%3A0",
                "example.com#k",
                "example.com?versionId=1",
                "user@example.com",
                "[::1]",
                "2130706433",
            )
        ),
    ],
)
def test_identifiers_without_a_hash_or_a_safe_address_are_refused(did: str) -> None:
    with pytest.raises(MalformedDidError):
        did_webvh_url(did)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    for check in (
        lambda: verify_did_log(f"did:webvh:{SCID}:a.example", body, now=NOW),
        lambda: verify_witnesses(LOG, body, now=NOW),
    ):
        try:
            check()
        except ServiceError:
            continue


LOG = verify(new_log(0))
