"""The page on which a person lets a wallet have what waits for them. It shows nothing of the person."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from service.credentials.configurations import CONFIGURATIONS
from service.issuer.authorization import OpenedRequest, make_form_seal
from service.issuer.identity import Issuer
from service.issuer.offer_page import CSS, PAGE_HEADERS, PAGE_POLICY, TEMPLATES
from service.keys import Signer
from service.schema_files import load_type_metadata

# Without form-action: browsers apply it to every redirect that follows the form, and where the wallet's address leads
# on to is the wallet's affair. No script runs here, and only this form has the seal.
CONSENT_HEADERS = PAGE_HEADERS | {"Content-Security-Policy": PAGE_POLICY, "X-Frame-Options": "DENY"}


@dataclass(frozen=True, slots=True)
class _Consent:
    issuer: str
    wallet: str
    destination: str
    credential: str | None
    claims: str
    action: str
    request_id: str
    seal: str
    needs_code: bool
    wrong_code: bool


def render_consent(signer: Signer, issuer: Issuer, opened: OpenedRequest, *, wallet_name: str) -> str:
    """Render the question; ``wallet_name`` is what the issuer's officers call the wallet."""
    offer = opened.offer
    kind = None if offer is None else load_type_metadata(CONFIGURATIONS[offer.credential_configuration_id].kind.name)
    consent = _Consent(
        issuer=issuer.name,
        wallet=wallet_name,
        destination=_describe_destination(opened.row.redirect_uri),
        credential=None if kind is None else str(kind["name"]),
        claims="" if kind is None else ", ".join(_list_labels(kind["claims"])),
        action=f"{issuer.identifier}/authorize",
        request_id=opened.row.id,
        seal=make_form_seal(signer, opened.row.id, opened.browser),
        needs_code=offer is not None and offer.tx_code_digest is not None,
        wrong_code=opened.wrong_code,
    )
    title = "Let this wallet have your credential?" if offer else "Nothing waits here"
    return TEMPLATES.get_template("consent.html").render(title=title, css=Markup(CSS), consent=consent)  # noqa: S704  # our own style sheet


def render_refusal(explanation: str) -> str:
    """Render the page of a request that cannot be answered; it leads nowhere."""
    return TEMPLATES.get_template("consent.html").render(
        title="This page can't be used",
        css=Markup(CSS),  # noqa: S704  # our own style sheet
        consent=None,
        explanation=explanation,
    )


def _describe_destination(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    return parts.hostname or f"an app on this device ({parts.scheme}:)"


def _list_labels(claims: list[dict[str, Any]]) -> list[str]:
    return [claim["display"][0]["label"] for claim in claims if claim["sd"] != "never"]
