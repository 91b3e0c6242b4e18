"""Transaction data: what a holder agrees to while presenting, and the two kinds of it that we know the meaning of.

A kind that is known can be put into words. A wallet agrees to nothing else.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from service.credentials.encoding import MalformedJoseError, b64url_decode, parse_json
from service.errors import InvalidInputError

OWN_TYPES = "urn:goodstanding:transaction:"
TRADE = f"{OWN_TYPES}trade:1"
REPRESENTATION = f"{OWN_TYPES}representation:1"
HASH_ALGORITHMS = ("sha-256", "sha-384", "sha-512")
DEFAULT_HASH_ALGORITHM = "sha-256"
MAX_DECIMALS = 30
MAX_QUANTITY = 10**30

STATEMENTS = {
    "us.506c.min_investment": (
        "I am an accredited investor, and my minimum investment is not financed, in whole or in part, by any third"
        " party for the specific purpose of making this investment."
    ),
    "us.506c.prior_verified": (
        "I am an accredited investor today, as I was when the issuer took reasonable steps to verify it within the"
        " last five years."
    ),
    "us.506c.income": (
        "I have a reasonable expectation of reaching the income level necessary to qualify as an accredited investor"
        " during the current year."
    ),
    "us.506c.net_worth": (
        "All liabilities that are necessary to make a determination of my net worth have been disclosed."
    ),
    "us.reg_s.offshore": (
        "I am outside the United States and not a U.S. person, and I do not buy for the account or benefit of one."
    ),
}
"""What each representation says: 17 CFR 230.506(c)(2) and 230.903(b)(3)(iii)(B)."""


class TransactionDataError(InvalidInputError):
    """Transaction data that cannot be read, or that break the definition of their type."""

    code = "transaction_data_invalid"


@dataclass(frozen=True, slots=True)
class TransactionData:
    """One entry of ``transaction_data``.

    Attributes:
        encoded: As it stands in the request; this is what gets hashed.
        type: What the holder is asked to agree to.
        credential_ids: Credential queries of which one has to carry the agreement.
        hash_algorithms: Accepted ones; None where the request names none, which means sha-256.
        fields: All further members, as the type defines them.
    """

    encoded: str
    type: str
    credential_ids: tuple[str, ...]
    hash_algorithms: tuple[str, ...] | None
    fields: Mapping[str, Any]


def read_transaction_data(encoded: str) -> TransactionData:
    """Read an entry as far as the protocol defines it; what its type demands is ``check_meaning``'s.

    Raises:
        TransactionDataError: Not base64url of a JSON object with ``type`` and ``credential_ids``, or
            ``transaction_data_hashes_alg`` is no list of texts.

    Source: OpenID4VP 1.0, section 5.1 and appendix B.3.3.1.
    """
    try:
        members = parse_json(b64url_decode(encoded))
    except MalformedJoseError as error:
        raise TransactionDataError(f"An entry cannot be read: {error.detail}") from error
    if not isinstance(members, dict) or not isinstance(members.get("type"), str):
        raise TransactionDataError("An entry must be an object with a type.")
    return TransactionData(
        encoded,
        members["type"],
        _read_texts(members, "credential_ids"),
        _read_texts(members, "transaction_data_hashes_alg") if "transaction_data_hashes_alg" in members else None,
        {name: value for name, value in members.items() if name not in _PROTOCOL_MEMBERS},
    )


def check_meaning(data: TransactionData) -> None:
    """Check an entry against the definition of its type: every required field, no unknown one, each well-formed.

    Raises:
        TransactionDataError: An unknown type, or any departure from its definition.

    Source: OpenID4VP 1.0, section 8.5 (``invalid_transaction_data``).
    """
    fields = _DEFINITIONS.get(data.type)
    if fields is None:
        raise TransactionDataError("The type of the transaction data is not known.")
    if unknown := data.fields.keys() - fields.keys():
        raise TransactionDataError(f"{len(unknown)} field(s) do not belong to this type of transaction data.")
    for name, field in fields.items():
        if name not in data.fields:
            if field.required:
                raise TransactionDataError(f"The field {name} is missing.")
        elif not field.is_valid(data.fields[name]):
            raise TransactionDataError(f"The field {name} is not valid.")
    if data.type == REPRESENTATION:
        _check_representation(data.fields)


def choose_hash_algorithms(entries: Sequence[TransactionData]) -> tuple[set[str], bool]:
    """Return the algorithms that all entries allow, and whether any of them named its own.

    Source: OpenID4VP 1.0, appendix B.3.3.1.
    """
    allowed = set(HASH_ALGORITHMS)
    for data in entries:
        allowed &= set(data.hash_algorithms or (DEFAULT_HASH_ALGORITHM,))
    return allowed, any(data.hash_algorithms is not None for data in entries)


def describe_in_words(data: TransactionData) -> list[tuple[str, str]]:
    """Return what a holder agrees to, as labels with values, for an entry that passed ``check_meaning``."""
    fields = data.fields
    lines = [_describe_trade(fields) if data.type == TRADE else ("You declare", fields["statement"])]
    if "security_name" in fields:
        lines.append(("Named", fields["security_name"]))
    if data.type == TRADE:
        lines.append(("Price", _money(fields["price"]) + " per unit"))
    elif "security_id" in fields:
        lines.append(("About the security", fields["security_id"]))
    if "minimum_investment" in fields:
        lines.append(("Minimum investment", _money(fields["minimum_investment"])))
    if "trade_date" in fields:
        lines.append(("Trade date", fields["trade_date"]))
    if "terms_sha256" in fields:
        lines.append(("Under the terms with the hash", fields["terms_sha256"]))
    return lines


def _describe_trade(fields: Mapping[str, Any]) -> tuple[str, str]:
    quantity = _scale(fields["quantity"], fields.get("unit_decimals", 0))
    return ("You sell" if fields["side"] == "sell" else "You buy", f"{quantity} of {fields['security_id']}")


def _scale(quantity: str, decimals: int) -> str:
    if decimals == 0:
        return quantity
    digits = quantity.rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def _money(value: Mapping[str, str]) -> str:
    return f"{value['amount']} {value['currency']}"


def _check_representation(fields: Mapping[str, Any]) -> None:
    # The holder must sign the sentence that is shown, not a code that stands for one.
    if fields["statement"] != STATEMENTS[fields["representation"]]:
        raise TransactionDataError("The statement is not the wording of this representation.")
    if ("minimum_investment" in fields) != (fields["representation"] == "us.506c.min_investment"):
        raise TransactionDataError("minimum_investment belongs to us.506c.min_investment, which needs it.")


def _read_texts(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = members.get(name)
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise TransactionDataError(f"{name} must be a list of texts.")
    return tuple(values)


@dataclass(frozen=True, slots=True)
class _Field:
    is_valid: Callable[[Any], bool]
    required: bool = True


def _text(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and bool(compiled.fullmatch(value))


def _one_of(values: Sequence[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in values


def _is_quantity(value: Any) -> bool:
    return _WHOLE(value) and int(value) <= MAX_QUANTITY


def _is_decimals(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_DECIMALS


def _is_date(value: Any) -> bool:
    try:
        return _DATE(value) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_money(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"amount", "currency"}
        and _AMOUNT(value["amount"])
        and _CURRENCY(value["currency"])
    )


_PROTOCOL_MEMBERS = {"type", "credential_ids", "transaction_data_hashes_alg"}
_WHOLE = _text(r"[1-9][0-9]{0,30}")
_DATE = _text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = _text(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?")
_CURRENCY = _text(r"[A-Z]{3}")
_ID = _text(r"[A-Za-z0-9_.-]{1,64}")
_HASH = _text(r"[0-9a-f]{64}")
_DEFINITIONS: Mapping[str, Mapping[str, _Field]] = {
    TRADE: {
        "security_id": _Field(_ID),
        "security_name": _Field(_text(r"[^\x00-\x1f\x7f]{1,200}"), required=False),
        "side": _Field(_one_of(("buy", "sell"))),
        "quantity": _Field(_is_quantity),
        "unit_decimals": _Field(_is_decimals, required=False),
        "price": _Field(_is_money),
        "trade_date": _Field(_is_date, required=False),
        "terms_sha256": _Field(_HASH),
    },
    REPRESENTATION: {
        "representation": _Field(_one_of(tuple(STATEMENTS))),
        "statement": _Field(_text(r"[^\x00-\x1f\x7f]{1,1000}")),
        "security_id": _Field(_ID, required=False),
        "minimum_investment": _Field(_is_money, required=False),
        "terms_sha256": _Field(_HASH, required=False),
    },
}
