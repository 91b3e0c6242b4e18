"""Token status lists: bits in and out, tokens, and lists made to mislead or to exhaust us."""

import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.jose import (
    InvalidClaimsError,
    InvalidSignatureError,
    MalformedJoseError,
    b64url_encode,
    sign_jws,
)
from service.credentials.status_list import (
    INVALID,
    MAX_PACKED_BYTES,
    SUSPENDED,
    TYP,
    VALID,
    Packed,
    StatusIndexError,
    StatusList,
    build_status_list_claims,
    decode_status_list,
    encode_status_list,
    get_status,
    list_changed_entries,
    set_status,
    verify_status_list_token,
)
from service.errors import ServiceError
from tests.unit.jose_support import SIGNERS, new_signer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
URI = "https://issuer.example/status/1"
ES256 = SIGNERS["ES256"]
CLAIMS = build_status_list_claims(
    uri=URI,
    bits=2,
    packed=b"\xc9\x44\xf9",
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    ttl=timedelta(minutes=5),
)


def token(typ: str = TYP, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value != "absent"}
    return sign_jws({"alg": "ES256", "typ": typ}, claims, ES256.sign)


def verify(text: str, *, now: datetime = NOW) -> StatusList:
    return verify_status_list_token(text, ES256.key, expected_uri=URI, now=now)


@given(st.sampled_from([1, 2, 4, 8]), st.data())
def test_what_was_set_is_read_and_nothing_else_changes(bits: int, data: st.DataObject) -> None:
    packed = bytearray(16)
    size = 16 * 8 // bits
    expected = dict(data.draw(st.dictionaries(st.integers(0, size - 1), st.integers(0, 2**bits - 1))))
    for index in expected:
        set_status(packed, bits, index, 2**bits - 1)
    for index, value in expected.items():
        set_status(packed, bits, index, value)
    assert [get_status(packed, bits, index) for index in range(size)] == [expected.get(i, VALID) for i in range(size)]
    assert decode_status_list(encode_status_list(packed, bits)) == (bits, bytes(packed))


def test_the_first_status_is_in_the_lowest_bits() -> None:
    packed = bytearray(2)
    set_status(packed, 2, 0, INVALID)
    set_status(packed, 2, 5, SUSPENDED)
    assert packed.hex() == "0108"


@pytest.mark.parametrize("index", [-1, 12, 2**31, 2**63, 10**30, 1.0, 0.5, True, False, "1", None, [0]])
def test_an_index_that_is_no_place_of_the_list_is_refused(index: Any) -> None:
    status_list = verify(token())
    assert status_list.status_at(11) == 3
    with pytest.raises(StatusIndexError):
        status_list.status_at(index)
    with pytest.raises(StatusIndexError):
        set_status(bytearray(3), 2, index, INVALID)


@pytest.mark.parametrize(("bits", "value"), [(1, SUSPENDED), (2, 4), (8, 256), (8, -1)])
def test_a_value_that_does_not_fit_is_refused(bits: int, value: int) -> None:
    with pytest.raises(ValueError):
        set_status(bytearray(4), bits, 0, value)


@pytest.mark.parametrize("bits", [0, 3, 16])
def test_other_widths_are_not_written(bits: int) -> None:
    with pytest.raises(ValueError):
        encode_status_list(b"\0", bits)


def test_a_token_is_verified_and_read() -> None:
    status_list = verify(token())
    assert status_list == StatusList(URI, 2, b"\xc9\x44\xf9", NOW, NOW + timedelta(hours=1), timedelta(minutes=5))
    assert [status_list.status_at(index) for index in range(4)] == [1, 2, 0, 3]


def test_exp_and_ttl_are_optional_on_the_way_in() -> None:
    status_list = verify(token(exp="absent", ttl="absent"))
    assert (status_list.expires_at, status_list.ttl) == (None, None)


@pytest.mark.parametrize("typ", ["JWT", "dc+sd-jwt", "kb+jwt", "statuslist+cwt", ""])
def test_a_token_of_another_type_is_refused(typ: str) -> None:
    with pytest.raises(InvalidClaimsError):
        verify(token(typ))


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": f"{URI}/"},
        {"sub": URI.upper()},
        {"sub": "absent"},
        {"sub": [URI]},
        {"iat": "absent"},
        {"iat": True},
        {"iat": "1"},
        {"iat": 1.5},
        {"iat": int(NOW.timestamp()) + 61},
        {"exp": int(NOW.timestamp()) - 60},
        {"exp": "2100-01-01"},
        {"exp": None},
        {"nbf": int(NOW.timestamp()) + 61},
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": True},
        {"ttl": "300"},
        {"ttl": 300.0},
        {"ttl": None},
        {"ttl": 10**20},
    ],
    ids=repr,
)
def test_other_claims_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidClaimsError):
        verify(token(**changes))


def test_a_list_signed_by_another_is_refused() -> None:
    with pytest.raises(InvalidSignatureError):
        verify_status_list_token(token(), new_signer("ES256").key, expected_uri=URI, now=NOW)


def lst(data: bytes) -> dict[str, Any]:
    return {"bits": 1, "lst": b64url_encode(data)}


@pytest.mark.parametrize(
    "status_list",
    [
        None,
        [],
        "lst",
        {},
        {"bits": 1},
        {"lst": CLAIMS["status_list"]["lst"]},
        *({**CLAIMS["status_list"], "bits": bits} for bits in (0, 3, 16, -1, True, 1.0, "1", None, [1])),
        {"bits": 1, "lst": None},
        {"bits": 1, "lst": CLAIMS["status_list"]["lst"] + "=="},
        lst(b""),
        lst(b"text"),
        lst(zlib.compress(b"\0" * 100)[:-1]),
        lst(zlib.compress(b"\0" * 100)[:-4] + b"\0\0\0\0"),
        lst(zlib.compress(b"\0" * 100) + b"\0"),
        lst(zlib.compress(b"\0") + zlib.compress(b"\0")),
        lst(zlib.compress(b"\0", wbits=31)),
        lst(zlib.compress(b"\0", wbits=-15)),
    ],
)
def test_lists_that_are_not_one_zlib_stream_are_refused(status_list: Any) -> None:
    with pytest.raises(MalformedJoseError):
        verify(token(status_list=status_list))


def test_a_list_of_the_largest_size_is_read() -> None:
    assert len(decode_status_list(lst(zlib.compress(bytes(MAX_PACKED_BYTES))))[1]) == MAX_PACKED_BYTES


@pytest.mark.parametrize("size", [MAX_PACKED_BYTES + 1, 16 * MAX_PACKED_BYTES])
def test_a_bomb_is_refused_in_bounded_memory(size: int) -> None:
    compressor = zlib.compressobj(9)
    bomb = b"".join(compressor.compress(bytes(min(2**20, size - done))) for done in range(0, size, 2**20))
    text = token(status_list=lst(bomb + compressor.flush()))
    tracemalloc.start()
    with pytest.raises(MalformedJoseError, match="too large"):
        verify(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 2**20


def test_a_twice_compressed_bomb_is_inflated_once() -> None:
    inner = zlib.compress(bytes(MAX_PACKED_BYTES))
    assert decode_status_list(lst(zlib.compress(inner))) == (1, inner)


def test_a_million_statuses_of_one_byte_fit_a_token() -> None:
    packed = bytearray(range(256)) * 4096
    assert verify(token(status_list=encode_status_list(packed, 8))).status_at(2**20 - 1) == 255


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,80}", fullmatch=True), st.integers(-1, 9))
def test_no_list_raises_anything_but_a_service_error(text: str, bits: int) -> None:
    try:
        decode_status_list({"bits": bits, "lst": text})
    except ServiceError as error:
        assert error.code == "malformed"  # noqa: PT017  # success is fine too


@given(st.sampled_from([1, 2, 4, 8]), st.lists(st.integers(0, 8200), max_size=5, unique=True), st.data())
def test_what_differs_between_two_copies_is_found(bits: int, places: list[int], data: st.DataObject) -> None:
    before, after = bytearray(8300 * bits // 8), bytearray(8300 * bits // 8 + data.draw(st.integers(0, 3)))
    for place in places:
        set_status(after, bits, place, 1)
    assert list_changed_entries(Packed(bits, bytes(before)), Packed(bits, bytes(after))) == sorted(places)


def test_copies_of_different_widths_are_compared_as_far_as_both_reach() -> None:
    assert list_changed_entries(Packed(1, b"\x05"), Packed(2, b"\x01\x00")) == [2]
