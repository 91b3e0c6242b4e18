"""Requests for the actions that are not sales of an issuer or a holder to somebody who pays."""

from typing import Any

from tests.gate_support import REG_D, Market

DOCUMENT = {"type": "court_order", "sha256": "9f" * 32, "authority": "District Court"}
ONE = {"approver": "officer-1", "approved_at": "2026-11-23T10:00:00Z"}
TWO = [ONE, ONE | {"approver": "officer-2"}]
NOTHING = {"amount": "0", "currency": "USD"}
CONTROL = {"control_agreement": True, "liquidation_route": "accredited_auction"}
NO_AFFILIATE = {"seller": {"affiliate": False}, "general_solicitation": False}
REG_D_CONVERTIBLE: dict[str, Any] = REG_D | {"converts_to": ["reg-s"]}
ACTIONS: list[tuple[str, str | None, str | None, dict[str, Any]]] = [
    ("pledge", "alice", "bank", {"trade": CONTROL}),
    ("gift", "alice", "bob", {"trade": NO_AFFILIATE}),
    ("redemption", "alice", None, {}),
    ("forced", "alice", "bob", {}),
    ("inheritance", "alice", "bob", {}),
    ("recovery", "alice", "alice-2", {}),
    ("distribution", None, "alice", {}),
    ("conversion", "alice", None, {"offering_id": "reg-s"}),
]
"""Action, seller, buyer and what else is said, for a position of alice's that nobody has a lien on."""


def ask(market: Market, action: str, seller: str | None, buyer: str | None, quantity: int, **more: Any) -> Any:
    """Return a request; a document and two approvals come with the actions that rest on them."""
    request = market.buy("", quantity, action=action, offering_id=None, price=NOTHING, **more)
    if action in {"forced", "inheritance", "recovery"}:
        request = {"document": DOCUMENT, "approvals": TWO} | request
    named = {"seller": seller, "buyer": buyer}
    return request | {role: {"investor_ref": ref} if ref else None for role, ref in named.items()}
