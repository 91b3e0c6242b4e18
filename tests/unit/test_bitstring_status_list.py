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
    MAX_SIZED_BYTES,
    decode_bitstring,
    encode_bitstring,
    extract_bitstring,
    find_message,
    merge_references,
    read_status_entries,
    split_reference,
    write_bitstring,
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
from tests.unit.bitstring_support import (
    LIST,
    bits,
    entry,
    list_2021,
    list_of_messages,
    list_v2,
    messages_of,
    sign_list,
)
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
    assert split_reference(revoked.uri) == (LIST, "revocation", 1)
    for uri in ("#other", "#message:1", "#message:8", "#message:22", "#message:x", "#message:", "#a#message"):
        assert split_reference(LIST + uri) == (LIST + uri, None, 1)


INDICES: list[Any] = [5, "-1", "+5", "05", "5.0", "1e3", " 5", "5\n", "", "0x5", "\u0665", "9" * 19, None, True, "five"]


ODD_MESSAGES: list[Any] = [
    messages_of(*"ab"),
    messages_of(*"abc"),
    messages_of(*"abcde"),
    [*messages_of(*"abc"), *messages_of("a")],
    [*messages_of(*"abcd"), *messages_of("a")],
    [*messages_of(*"abc"), {"status": "3", "message": "d"}],
    [*messages_of(*"abc"), {"status": 3, "message": "d"}],
    [*messages_of(*"abc"), {"status": "0x3", "message": None}],
    [*messages_of(*"abc"), {"status": "0x3"}],
]


@pytest.mark.parametrize(
    "value",
    [
        *({"statusListIndex": index} for index in INDICES),
        *({"type": kind} for kind in ("Unheard", "RevocationList2020Status", ["BitstringStatusListEntry"], None)),
        *({"statusPurpose": purpose} for purpose in ("", "Revocation", "other", ["revocation"], None)),
        *({"statusListCredential": uri} for uri in ("", "https://x.example/#l", "x" * 9_999, {"id": LIST}, None)),
        *({"statusSize": size} for size in (0, 2, -1, 1.0, "1", True)),
        *({"statusMessage": messages} for messages in ([], "ab", [{}], {}, [{}, {}], [1, 2])),
        *({"statusSize": 2, "statusMessage": messages} for messages in ODD_MESSAGES),
        {"statusSize": 8, "statusMessage": messages_of(*"a" * 256)},
        {"type": "StatusList2021Entry", "statusSize": 2, "statusMessage": messages_of(*"abcd")},
        *({"statusReference": material} for material in ([], 5, "dictionary", ["https://a.example", "b"], {})),
        {"id": LIST},
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


@settings(deadline=None, max_examples=30)
@given(st.data(), st.integers(2, 7), st.sampled_from(["revocation", "suspension", "message"]))
def test_entries_of_several_bits_are_read(data: st.DataObject, size: int, purpose: str) -> None:
    values = data.draw(st.dictionaries(st.integers(0, 131_071), st.integers(0, 2**size - 1), max_size=20))
    packed = decode_bitstring(encode_bitstring(write_bitstring(values, size)), purpose, multibase=True, size=size)
    assert len(packed) == 131_072
    said = {"revocation": lambda _: 1, "suspension": lambda _: 2, "message": lambda value: value + 2}[purpose]
    for index in values.keys() | {0, 1, 131_071}:
        value = values.get(index, 0)
        assert get_status(packed, 8, index) == (said(value) if value else 0)


def test_the_highest_bit_of_an_entry_is_its_left_most() -> None:
    bitstring = write_bitstring({1: 0b10, 4: 0b01}, 2)
    assert (bitstring[0], bitstring[1]) == (0b0010_0000, 0b0100_0000)
    assert write_bitstring({0: 0b100, 2: 0b111, 131_071: 1}, 3)[:2] == bytes([0b1000_0011, 0b1000_0000])


def test_lists_of_several_bits_have_their_limits_too() -> None:
    for size, length in ((2, 16_384 * 2 - 1), (7, 16_384 * 7 - 1), (2, MAX_SIZED_BYTES + 1)):
        with pytest.raises(MalformedJoseError):
            decode_bitstring(compress(bytes(length)), "message", multibase=True, size=size)
    tracemalloc.start()
    try:
        decode_bitstring(compress(b"\xff" * MAX_SIZED_BYTES), "message", multibase=True, size=2)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_message_is_told_by_its_name() -> None:
    document = {"credentialStatus": [entry(), entry(**MESSAGES)]}
    revoked, told = read_status_entries(document)
    assert told == StatusReference(f"{LIST}#message:2", 5)
    listed = verify(sign_list(list_of_messages({5: 2, 7: 3})), "message:2")
    assert [find_message(document, told, listed.status_at(index)) for index in (4, 5, 7)] == [
        ("0x0", "pending"),
        ("0x2", "rejected"),
        ("0x3", "undefined"),
    ]
    assert (
        find_message(document, revoked, 1) is find_message(document, StatusReference("https://a.example", 5), 1) is None
    )
    single = {"credentialStatus": entry(statusPurpose="message")}
    (told,) = read_status_entries(single)
    listed = verify(sign_list(list_v2(5, subject={"statusPurpose": "message"})), "message")
    assert [find_message(single, told, listed.status_at(index)) for index in (4, 5)] == [
        ("0x0", "unset"),
        ("0x1", "set"),
    ]


MESSAGES = {
    "statusPurpose": "message",
    "statusSize": 2,
    "statusMessage": messages_of("pending", "accepted", "rejected", "undefined"),
    "statusReference": ["https://issuer.example/dictionary"],
}


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
        *(list_v2(subject={"statusSize": size}) for size in (2, 0, True, "1")),
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
