"""Status lists of the W3C: entries, bits in and out, and lists made to mislead or to exhaust us."""

import gzip
import tracemalloc
import zlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.credentials.bitstring_status_list import (
    MAX_BITSTRING_BYTES,
    decode_bitstring,
    encode_bitstring,
    extract_bitstring,
    merge_references,
    read_status_entries,
    split_reference,
)
from service.credentials.credential import StatusReference
from service.credentials.jose import MalformedJoseError, b64url_encode
from service.credentials.sd_jwt_errors import StatusReferenceError
from service.credentials.status_list import StatusList, get_status, set_status
from service.credentials.status_list_credential import (
    StatusListCredentialError,
    read_status_list_credential,
    verify_status_list_credential,
)
from service.errors import ServiceError
from service.linked_data.bundled_contexts import load_contexts
from tests.unit.bitstring_support import LIST, bits, entry, list_2021, list_v2, sign_list
from tests.unit.jwt_vc_support import STATUS, envelop, present_v2
from tests.unit.sd_jwt_support import ISSUER_KEYS, NOW, NOW_SECONDS, new_key_pair


def compress(bitstring: bytes | bytearray) -> str:
    return "u" + b64url_encode(gzip.compress(bitstring))


def verify(compact: str, purpose: str = "revocation") -> StatusList:
    read = read_status_list_credential(compact.encode())
    return verify_status_list_credential(
        read, ISSUER_KEYS.key, load_contexts(), expected_reference=f"{LIST}#{purpose}", now=NOW
    )


def test_entries_of_each_purpose_are_read() -> None:
    both = [entry(), entry(statusPurpose="suspension", id="https://x.example/#1", statusSize=1), entry()]
    revoked, suspended = read_status_entries({"credentialStatus": both})
    assert (revoked, suspended) == (StatusReference(f"{LIST}#revocation", 5), StatusReference(f"{LIST}#suspension", 5))
    assert read_status_entries({"credentialStatus": entry(type="StatusList2021Entry")}) == (revoked,)
    assert read_status_entries({}) == read_status_entries({"credentialStatus": entry(statusPurpose="refresh")}) == ()
    assert split_reference(revoked.uri) == (LIST, "revocation")
    assert split_reference(f"{LIST}#other") == (f"{LIST}#other", None)


INDICES: list[Any] = [5, "-1", "+5", "05", "5.0", "1e3", " 5", "5\n", "", "0x5", "\u0665", "9" * 19, None, True, "five"]


@pytest.mark.parametrize(
    "value",
    [
        *({"statusListIndex": index} for index in INDICES),
        *({"type": kind} for kind in ("Unheard", "RevocationList2020Status", ["BitstringStatusListEntry"], None)),
        *({"statusPurpose": purpose} for purpose in ("", "Revocation", "other", ["revocation"], None)),
        *({"statusListCredential": uri} for uri in ("", "https://x.example/#l", "x" * 9_999, {"id": LIST}, None)),
        *({"statusSize": size} for size in (0, 2, -1, 1.0, "1", True)),
        *({"statusMessage": messages} for messages in ([], "ab", [{}], {})),
        {"statusPurpose": "refresh", "statusListIndex": "-1"},
    ],
)
def test_an_entry_that_we_cannot_follow_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(StatusReferenceError):
        read_status_entries({"credentialStatus": [entry(), entry(**value)]})


@pytest.mark.parametrize("value", [None, [], "x", 1, [[]], [entry()] * 9, [entry(), None]])
def test_a_status_that_holds_no_entries_is_refused(value: Any) -> None:
    with pytest.raises(StatusReferenceError):
        read_status_entries({"credentialStatus": value})


@given(st.sets(st.integers(0, 131_071), max_size=20), st.sampled_from(["revocation", "suspension", "message"]))
def test_what_the_left_most_bit_first_says_is_read(indices: set[int], purpose: str) -> None:
    packed = decode_bitstring(compress(bits(*indices)), purpose, multibase=True)
    value = {"revocation": 1, "suspension": 2, "message": 3}[purpose]
    assert len(packed) * 4 == 131_072
    for index in indices | {0, 7, 8, 131_071}:
        assert get_status(packed, 2, index) == (value if index in indices else 0)
    assert decode_bitstring(encode_bitstring(bits(*indices)), purpose, multibase=True) == packed


def test_the_list_of_the_text_is_read() -> None:
    """Source: Bitstring Status List 1.0, section 2.2, example."""
    encoded = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
    assert decode_bitstring(encoded, "revocation", multibase=True) == bytes(32_768)


@pytest.mark.parametrize(
    "encoded",
    [
        compress(bits())[1:],
        "z" + compress(bits())[1:],
        "U" + compress(bits())[1:],
        "m" + compress(bits())[1:],
        compress(bits()) + "=",
        "u" + b64url_encode(zlib.compress(bits())),
        "u" + b64url_encode(zlib.compress(bits(), wbits=-15)),
        "u" + b64url_encode(bits()),
        "u" + b64url_encode(gzip.compress(bits()) + b"x"),
        "u" + b64url_encode(gzip.compress(bits()) * 2),
        "u" + b64url_encode(gzip.compress(bits())[:-1]),
        "u" + b64url_encode(gzip.compress(bits())[:-8] + bytes(8)),
        compress(bits(length=16_383)),
        compress(b""),
        "u",
        "",
        None,
        5,
    ],
)
def test_what_is_no_list_is_refused(encoded: Any) -> None:
    with pytest.raises(MalformedJoseError):
        decode_bitstring(encoded, "revocation", multibase=True)


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = compress(bytes(MAX_BITSTRING_BYTES * 8))
    tracemalloc.start()
    try:
        with pytest.raises(MalformedJoseError):
            decode_bitstring(bomb, "revocation", multibase=True)
        assert tracemalloc.get_traced_memory()[1] < MAX_BITSTRING_BYTES * 3
    finally:
        tracemalloc.stop()


def test_a_sound_list_is_read_in_each_form() -> None:
    sound = sign_list(list_v2(5, subject={"ttl": 300_000}))
    enveloped = str(envelop(sound)).replace("'", '"')
    for compact in (sound, enveloped):
        status_list = verify(compact)
        assert (status_list.uri, status_list.ttl) == (f"{LIST}#revocation", timedelta(minutes=5))
        assert [status_list.status_at(index) for index in (4, 5, 6)] == [0, 1, 0]
    assert verify(sign_list(list_2021(5))).status_at(5) == 1
    assert verify(sign_list(list_v2(5, exp=NOW_SECONDS + 9))).expires_at == NOW.replace(microsecond=0) + timedelta(0, 9)


def test_a_list_may_serve_several_purposes() -> None:
    compact = sign_list(list_v2(5, subject={"statusPurpose": ["revocation", "suspension"]}))
    assert (verify(compact).status_at(5), verify(compact, "suspension").status_at(5)) == (1, 2)


@pytest.mark.parametrize(
    "claims",
    [
        list_v2(subject={"statusPurpose": "suspension"}),
        list_v2(subject={"statusPurpose": None}),
        list_v2(subject={"type": "StatusList2021"}),
        list_v2(subject={"type": None}),
        list_v2(subject={"statusSize": 2}),
        list_v2(subject={"encodedList": None}),
        list_v2(subject={"encodedList": list_2021()["vc"]["credentialSubject"]["encodedList"]}),
        *(list_v2(subject={"ttl": ttl}) for ttl in (0, -1, 1.5, "300000", True, 2**53)),
        list_v2(id="https://issuer.example/bitstrings/2"),
        list_v2(id=None),
        list_v2(iat=None),
        list_v2(iat=NOW_SECONDS + 600),
        list_v2(validFrom="2126-01-01T00:00:00Z"),
        list_v2(validUntil="2026-01-01T00:00:00Z"),
        list_v2(exp=NOW_SECONDS - 600),
        list_v2(type=["VerifiableCredential"]),
        list_v2(type=["VerifiableCredential", "BitstringStatusListCredential", "StatusList2021Credential"]),
        list_v2(credentialStatus=entry()),
        list_v2(status=STATUS),
        list_v2(credentialSubject=[]),
    ],
)
def test_a_credential_that_is_not_the_list_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(ServiceError):
        verify(sign_list(claims))


def test_a_list_signed_by_another_is_refused() -> None:
    with pytest.raises(ServiceError):
        verify(sign_list(list_v2(), new_key_pair()))


@pytest.mark.parametrize("body", ["", "{", "{}", "[]", "a.b.c", "\xff", present_v2(sign_list(list_v2()))])
def test_what_is_no_credential_is_refused(body: str) -> None:
    with pytest.raises(ServiceError):
        verify(body)


def test_a_list_of_another_purpose_says_why() -> None:
    with pytest.raises(StatusListCredentialError) as caught:
        verify(sign_list(list_v2()), "suspension")
    assert (caught.value.code, caught.value.check) == ("status_list_credential_invalid", "status")


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 140_000), st.integers(0, 2), max_size=20), st.integers(0, 35_003))
def test_what_a_list_of_ours_says_for_a_purpose_is_read_back(statuses: dict[int, int], size: int) -> None:
    packed = bytearray(size)
    inside = {index: value for index, value in statuses.items() if index < size * 4}
    for index, value in inside.items():
        set_status(packed, 2, index, value)
    for purpose, values in (("revocation", {0: 0, 1: 1, 2: 0}), ("suspension", {0: 0, 1: 2, 2: 2})):
        bitstring = extract_bitstring(packed, purpose)
        assert len(bitstring) == max(16_384, (size + 1) // 2)
        read = decode_bitstring(encode_bitstring(bitstring), purpose, multibase=True)
        assert {index: get_status(read, 2, index) for index in inside} == {
            index: values[value] for index, value in inside.items()
        }
        assert bitstring.count(0) >= len(bitstring) - len(inside)


def test_places_of_ours_are_one_whatever_they_are_named_for() -> None:
    prefix, uri = "https://us.example/issuers/", "https://us.example/issuers/kyc/status-lists/1"
    place = StatusReference(uri, 5)
    named = [place, *(StatusReference(f"{uri}/{each}#{each}", 5) for each in ("revocation", "suspension"))]
    assert merge_references(named, prefix) == merge_references(named[1:], prefix) == (place,)
    apart = [place, StatusReference(f"{uri}/revocation#revocation", 6)]
    assert merge_references(apart, prefix) == (place, StatusReference(uri, 6))
    for ending in ("/revocation#suspension", "#revocation", "/revocation", "/message#message", "/x/revocation#other"):
        odd = StatusReference(uri + ending, 5)
        assert merge_references([odd], prefix) == (odd,)
    foreign = [StatusReference(f"https://a.example/{each}#{each}", 5) for each in ("revocation", "suspension")]
    assert merge_references(foreign, prefix) == tuple(foreign)
