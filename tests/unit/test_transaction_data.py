"""What a holder agrees to has a meaning that can be checked and put into words, or is refused."""

from typing import Any

import pytest

from service.credentials.encoding import b64url_encode, write_json
from service.credentials.transaction_data import (
    REPRESENTATION,
    STATEMENTS,
    TRADE,
    TransactionDataError,
    check_meaning,
    describe_in_words,
    read_transaction_data,
)

TERMS = "ab" * 32
TRADE_DATA: dict[str, Any] = {
    "type": TRADE,
    "credential_ids": ["kyc"],
    "security_id": "demo",
    "side": "buy",
    "quantity": "100",
    "price": {"amount": "1000.00", "currency": "USD"},
    "terms_sha256": TERMS,
}
REPRESENTATION_DATA: dict[str, Any] = {
    "type": REPRESENTATION,
    "credential_ids": ["kyc"],
    "representation": "us.506c.min_investment",
    "statement": STATEMENTS["us.506c.min_investment"],
    "minimum_investment": {"amount": "200000", "currency": "USD"},
}


def encode(members: Any) -> str:
    return b64url_encode(write_json(members))


@pytest.mark.parametrize(
    "members",
    [
        TRADE_DATA,
        TRADE_DATA | {"side": "sell", "security_name": "Demo", "unit_decimals": 18, "trade_date": "2026-11-23"},
        REPRESENTATION_DATA,
        REPRESENTATION_DATA
        | {"representation": "us.506c.prior_verified", "statement": STATEMENTS["us.506c.prior_verified"]}
        | {"minimum_investment": None, "security_id": "demo", "terms_sha256": TERMS},
    ],
)
def test_known_types_are_read(members: dict[str, Any]) -> None:
    check_meaning(read_transaction_data(encode({k: v for k, v in members.items() if v is not None})))


@pytest.mark.parametrize(
    ("base", "change"),
    [
        (TRADE_DATA, {"type": "urn:goodstanding:transaction:trade:2"}),
        (TRADE_DATA, {"type": "TRADE"}),
        (TRADE_DATA, {"unknown": "x"}),
        (TRADE_DATA, {"terms_sha256": None}),
        (TRADE_DATA, {"terms_sha256": TERMS.upper()}),
        (TRADE_DATA, {"side": "hold"}),
        (TRADE_DATA, {"side": ["buy"]}),
        (TRADE_DATA, {"quantity": 100}),
        (TRADE_DATA, {"quantity": "0"}),
        (TRADE_DATA, {"quantity": "1e3"}),
        (TRADE_DATA, {"quantity": "-1"}),
        (TRADE_DATA, {"quantity": str(10**30 + 1)}),
        (TRADE_DATA, {"price": "1000.00 USD"}),
        (TRADE_DATA, {"price": {"amount": "1000.00"}}),
        (TRADE_DATA, {"price": {"amount": 1000, "currency": "USD"}}),
        (TRADE_DATA, {"price": {"amount": "1", "currency": "usd"}}),
        (TRADE_DATA, {"price": {"amount": "1", "currency": "USD", "more": "x"}}),
        (TRADE_DATA, {"trade_date": "2026-02-30"}),
        (TRADE_DATA, {"unit_decimals": True}),
        (TRADE_DATA, {"unit_decimals": 31}),
        (TRADE_DATA, {"security_id": "a b"}),
        (TRADE_DATA, {"security_name": "line\nbreak"}),
        (REPRESENTATION_DATA, {"representation": "us.506c.rich"}),
        (REPRESENTATION_DATA, {"statement": "I agree to everything."}),
        (REPRESENTATION_DATA, {"statement": STATEMENTS["us.506c.income"]}),
        (REPRESENTATION_DATA, {"minimum_investment": None}),
        (
            REPRESENTATION_DATA,
            {"representation": "us.506c.income", "statement": STATEMENTS["us.506c.income"]},
        ),
    ],
)
def test_departures_from_a_definition_are_refused(base: dict[str, Any], change: dict[str, Any]) -> None:
    members = {name: value for name, value in (base | change).items() if value is not None}
    with pytest.raises(TransactionDataError):
        check_meaning(read_transaction_data(encode(members)))


@pytest.mark.parametrize(
    "encoded",
    [
        "%%%",
        b64url_encode(b"not json"),
        encode([]),
        encode({"credential_ids": ["kyc"]}),
        encode({"type": 1, "credential_ids": ["kyc"]}),
        encode({"type": TRADE}),
        encode({"type": TRADE, "credential_ids": []}),
        encode({"type": TRADE, "credential_ids": "kyc"}),
        encode({"type": TRADE, "credential_ids": [1]}),
        encode({"type": TRADE, "credential_ids": ["kyc"], "transaction_data_hashes_alg": []}),
        encode({"type": TRADE, "credential_ids": ["kyc"], "transaction_data_hashes_alg": "sha-256"}),
        encode({"type": TRADE, "credential_ids": ["kyc"]}) + "=",
    ],
)
def test_what_is_no_transaction_data_is_refused(encoded: str) -> None:
    with pytest.raises(TransactionDataError):
        read_transaction_data(encoded)


def test_the_words_say_all_that_is_agreed_to() -> None:
    trade = read_transaction_data(encode(TRADE_DATA | {"unit_decimals": 2, "trade_date": "2026-11-23"}))
    assert describe_in_words(trade) == [
        ("You buy", "1.00 of demo"),
        ("Price", "1000.00 USD per unit"),
        ("Trade date", "2026-11-23"),
        ("Under the terms with the hash", TERMS),
    ]
    small = read_transaction_data(
        encode(TRADE_DATA | {"unit_decimals": 6, "side": "sell", "security_name": "Demo Inc"})
    )
    assert describe_in_words(small)[:2] == [("You sell", "0.000100 of demo"), ("Named", "Demo Inc")]
    declared = read_transaction_data(encode(REPRESENTATION_DATA | {"security_id": "demo"}))
    assert describe_in_words(declared) == [
        ("You declare", STATEMENTS["us.506c.min_investment"]),
        ("About the security", "demo"),
        ("Minimum investment", "200000 USD"),
    ]
