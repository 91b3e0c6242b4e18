"""Transfer requests between loaded investors, drawn at random."""

import json
import random
import secrets
from typing import Any

from service.demo import cases
from tests.bench.deployment import SALE, SECURITY
from tests.bench.load import Call, Headers
from tests.bench.population.loader import name_investor

PERMIT = b'"outcome":"permit"'
BATCH = 100


def make_sale(buyer: int) -> dict[str, Any]:
    """Return a primary sale of one unit."""
    return cases.purchase(SECURITY, SALE, name_investor(buyer), quantity="1")


def make_resale(seller: int, buyer: int) -> dict[str, Any]:
    """Return a resale of one unit, of a lot held for over a year, by somebody who is no affiliate."""
    return make_sale(buyer) | {
        "offering_id": None,
        "action": "secondary",
        "seller": {"investor_ref": name_investor(seller)},
        "trade": {"seller": {"affiliate": False}, "general_solicitation": False},
    }


class Trading:
    """Calls of one round. Each has its own idempotency keys.

    Args:
        investors: How many are loaded.
        access: Header that authorises the platform.
    """

    def __init__(self, investors: int, access: Headers) -> None:
        self._investors = investors
        self.access = access
        self._headers = {"Content-Type": "application/json", **access}
        self._run = secrets.token_hex(6)

    def _draw(self, *, resale: bool) -> dict[str, Any]:
        seller, buyer = random.sample(range(self._investors), 2)
        return make_resale(seller, buyer) if resale else make_sale(buyer)

    def one(self, *, resale: bool) -> Call:
        """Return ``POST /v1/transfers``."""

        def make(number: int) -> tuple[bytes, Headers]:
            body = json.dumps(self._draw(resale=resale)).encode()
            return body, self._headers | {"Idempotency-Key": f"{self._run}-{number}"}

        return Call("/v1/transfers", make, PERMIT)

    def batch(self, *, resale: bool) -> Call:
        """Return ``POST /v1/transfers/batch`` of 100."""

        def make(number: int) -> tuple[bytes, Headers]:
            keys = (f"{self._run}-{number}-{item}" for item in range(BATCH))
            items = [self._draw(resale=resale) | {"idempotency_key": key} for key in keys]
            return json.dumps({"transfers": items}).encode(), self._headers

        return Call("/v1/transfers/batch", make, PERMIT, BATCH)
