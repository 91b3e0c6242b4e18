"""What a transfer request must be before it can be decided: shape across members, dates, and its identity."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Self

from service.credentials.canonical import canonicalize
from service.errors import InvalidInputError
from service.gate.facts import zone_of
from service.gate.transfer_models import TransferRequest

WITHOUT_SELLER = frozenset({"primary", "distribution"})
WITHOUT_BUYER = frozenset({"redemption", "conversion"})


CLOCK_SKEW = timedelta(minutes=1)
"""How far ahead of ours a caller's clock may run."""


class InvalidTransferError(InvalidInputError):
    """The request contradicts itself or the security."""

    code = "invalid_transfer"

    @classmethod
    def at(cls, path: str, detail: str) -> Self:
        """Name the member of the request that is wrong, and how."""
        return cls("The transfer cannot be decided as asked.", errors=[{"path": f"/body/{path}", "detail": detail}])


class TradeDateError(InvalidInputError):
    """The trade date lies before today or after the time in which the transfer must settle."""

    code = "trade_date_out_of_range"


def check_request(request: TransferRequest, *, currency: str, now: datetime) -> None:
    """Check what one member alone cannot show.

    Args:
        currency: The security's.

    Raises:
        InvalidTransferError: Wrong parties for the action, no offering to convert to, another currency, or an
            approval that is still to come.
    """
    for name, lacking in (("seller", WITHOUT_SELLER), ("buyer", WITHOUT_BUYER)):
        _check_party(request, name, lacking)
    if request.seller == request.buyer:
        raise InvalidTransferError.at("buyer", "must not be the seller")
    if request.pledgor is not None and request.action != "liquidation":
        raise InvalidTransferError.at("pledgor", "is only for a liquidation")
    if request.pledgor is not None and request.pledgor in (request.seller, request.buyer):
        raise InvalidTransferError.at("pledgor", "must be neither seller nor buyer")
    if request.offering_id is None and request.action == "conversion":
        raise InvalidTransferError.at("offering_id", "is required: the offering whose lots are to be held")
    if request.price.currency != currency:
        raise InvalidTransferError.at("price/currency", f"must be {currency}, the currency of the security")
    for index, approval in enumerate(request.approvals):
        if approval.approved_at > now + CLOCK_SKEW:
            raise InvalidTransferError.at(f"approvals/{index}/approved_at", "lies in the future")


def _check_party(request: TransferRequest, name: str, lacking: frozenset[str]) -> None:
    given = getattr(request, name) is not None
    if given and request.action in lacking:
        raise InvalidTransferError.at(name, f"has no place in a {request.action}")
    if not given and request.action not in lacking:
        raise InvalidTransferError.at(name, "is required")


def resolve_trade_date(
    asked: date | None, *, now: datetime, settle_within: int, may_go_back: bool = False
) -> Callable[[str], date]:
    """Return a function from a regime to the trade date: the one asked for, or today in the regime's zone.

    Args:
        settle_within: Seconds from now in which the trade must settle.
        may_go_back: Previews may ask about the past.

    Raises (the returned function):
        TradeDateError: See ``code``.
    """

    def resolve(regime: str) -> date:
        zone = zone_of(regime)
        today = now.astimezone(zone).date()
        if asked is None:
            return today
        latest = (now + timedelta(seconds=settle_within)).astimezone(zone).date()
        if asked > latest or (asked < today and not may_go_back):
            raise TradeDateError(
                "The trade date is out of range.",
                errors=[{"path": "/body/trade_date", "detail": f"must be from {today} to {latest}"}],
            )
        return asked

    return resolve


def dump_request(request: TransferRequest) -> dict[str, Any]:
    """Return the request as JSON values, only the members that were sent."""
    return request.model_dump(mode="json", exclude_unset=True, exclude={"idempotency_key"})


def hash_request(request: TransferRequest) -> str:
    """Return the digest that two requests share exactly if they ask for the same."""
    return hash_dumped(dump_request(request))


def hash_dumped(request: dict[str, Any]) -> str:
    """Return what ``hash_request`` does, from what ``dump_request`` gave."""
    return hashlib.sha256(canonicalize(request)).hexdigest()


def bind_request(request: TransferRequest, *, on: date) -> dict[str, Any]:
    """Return the members that the signature binds; parties are bound as pseudonyms instead."""
    bound: dict[str, Any] = {
        "security_id": request.security_id,
        "action": request.action,
        "quantity": request.quantity,
        "price": request.price.model_dump(),
        "trade_date": on.isoformat(),
    }
    if request.venue is not None:
        bound["venue"] = request.venue
    return bound
