"""An investor whose wallet is no web page: the command-line wallet's own functions, in this process."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.wallet.present import decline, present
from service.wallet.receive import accept, propose
from service.wallet.requests import fetch_request
from service.wallet.selection import select_credentials
from service.wallet.store import create_wallet
from tests.interop.claims import ACCREDITATION, KYC, SCREENING
from tests.interop.support import Deployment


def _now() -> datetime:
    return datetime.now(UTC)


class Holder:
    """Holds what the seeded issuers attest, and answers requests by their links."""

    def __init__(self, deployment: Deployment, home: Path) -> None:
        self._deployment = deployment
        self._wallet = create_wallet(home, "p")
        self._last_offer: dict[str, Any] = {}

    async def receive_all(self) -> None:
        """Get the three credentials of ``us.506c``."""
        kyc, accreditor = self._deployment.kyc, self._deployment.accreditor
        for issuer, name, claims in (
            (kyc, "kyc", KYC),
            (kyc, "aml-screening", SCREENING),
            (accreditor, "qualified-investor", ACCREDITATION),
        ):
            body = {"credential_configuration_id": name, "claims": claims, "subject_ref": "case-1", "tx_code": False}
            offer = self._last_offer = await issuer.post("/v1/credential-offers", body)
            proposal = await propose(offer["deep_link"], fetcher=self._deployment.fetcher)
            await accept(self._wallet, proposal, tx_code=None, fetcher=self._deployment.fetcher, now=_now())

    async def revoke_accreditation(self) -> None:
        """Have the issuer withdraw the last of them."""
        accreditor = self._deployment.accreditor
        offer = await accreditor.get(f"/v1/credential-offers/{self._last_offer['id']}")
        status = {"status": "revoked", "reason": "The confirmation was withdrawn."}
        await accreditor.post(f"/v1/credentials/{offer['credentials'][0]['id']}/status", status)

    async def answer(self, made: dict[str, Any]) -> str | None:
        """Show what is asked for; returns where the browser has to go."""
        asked = await self._open(made)
        held, history = self._wallet.list_credentials(), self._wallet.list_history()
        selection = select_credentials(asked.query, held, history, client_id=asked.client_id, now=_now())
        return await present(self._wallet, asked, selection, fetcher=self._deployment.fetcher, now=_now())

    async def refuse(self, made: dict[str, Any]) -> None:
        """Say no."""
        await decline(self._wallet, await self._open(made), fetcher=self._deployment.fetcher, now=_now())

    async def _open(self, made: dict[str, Any]) -> Any:
        return await fetch_request(
            made["deep_link"],
            wallet_nonce=secrets.token_urlsafe(24),
            fetcher=self._deployment.fetcher,
            now=_now(),
            trust=self._wallet.read_trust(),
        )
