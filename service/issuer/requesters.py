"""Which wallet may ask for an authorization code, and for what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ProtocolError
from service.issuer.wallet_clients import NONE, WalletIdentity
from service.issuer.wallet_registration import is_safe_redirect
from service.storage.tables import WalletClient


@dataclass(frozen=True, slots=True)
class Requester:
    """A wallet that is known here, with all that a code or a refresh token is bound to.

    Attributes:
        client_id: What it is called.
        instance_jkt: Thumbprint of its attested key; None if it isn't attested.
        dpop_jkt: Thumbprint of the key that its request proved; None without a proof.
    """

    client_id: str
    instance_jkt: str | None
    dpop_jkt: str | None


def require_known(wallet: WalletIdentity, *, dpop_jkt: str | None) -> Requester:
    """Refuse wallets that nobody vouches for: neither registered at this issuer nor attested by whom it trusts.

    Raises:
        ProtocolError: ``invalid_client`` (401).

    Source: HAIP 1.0, sections 4.3 and 4.4.1.
    """
    if wallet.client_id is None or (wallet.method == NONE and wallet.redirect_uris is None):
        raise ProtocolError("invalid_client", "No such wallet is registered here.", status=401)
    return Requester(wallet.client_id, wallet.instance_jkt, dpop_jkt)


def list_redirect_uris(wallet: WalletIdentity, form: Mapping[str, str]) -> Sequence[str]:
    """Return where a known wallet may have its person sent.

    An attested wallet that isn't registered brings its own, as what it pushes is authenticated.

    Source: RFC 9126, section 2.4.
    """
    if wallet.redirect_uris is not None:
        return wallet.redirect_uris
    given = form.get("redirect_uri", "")
    return [given] if is_safe_redirect(given) else []


async def name_wallet(session: AsyncSession, org_id: str, client_id: str) -> str:
    """Return what the issuer's officers call a wallet, else its ``client_id``."""
    row = await session.get(WalletClient, (org_id, client_id))
    return client_id if row is None else row.name
