"""The page behind ``web_link``: a QR code and a link that open the wallet. It shows nothing of the person."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from service.credentials.configurations import CONFIGURATIONS
from service.issuer.identity import Issuer
from service.issuer.offer_rows import Offer
from service.issuer.offers import build_deep_link
from service.keys import Signer
from service.schema_files import load_type_metadata
from service.web.languages import list_switches, load_words, tag_of
from service.web.qr_code import draw_qr_code

_FOLDER = Path(__file__).parent / "templates"
LANGUAGE_FILES = Path(__file__).parent / "languages"
TEMPLATES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True)
CSS = (_FOLDER / "offer.css").read_text(encoding="utf-8")
_CSS_HASH = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()


# The policy of our pages: their own style sheet, no script, no frame.
PAGE_POLICY = f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; base-uri 'none'; frame-ancestors 'none'"
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"{PAGE_POLICY}; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _OfferOnPage:
    issuer: str
    credential: str
    deep_link: str
    web_wallet_link: str
    qr_code: Markup
    needs_code: bool
    expires_text: str


async def render_offer(signer: Signer, issuer: Issuer, row: Offer, language: str) -> str:
    """Render the page of an offer that can be redeemed."""
    deep_link = build_deep_link(signer, issuer, row)
    words = load_words(LANGUAGE_FILES, language)
    offer = _OfferOnPage(
        issuer=issuer.name,
        credential=name_credential(row.credential_configuration_id, language),
        deep_link=deep_link,
        web_wallet_link=f"/wallet/#offer={quote(deep_link, safe='')}",
        qr_code=await draw_qr_code(deep_link, title=words["offer.picture"]),
        needs_code=row.tx_code_digest is not None,
        expires_text=row.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
    )
    return _render(words["offer.title"], offer, language)


def render_gone(language: str) -> str:
    """Render the page of a link that leads nowhere; the same whatever the cause."""
    return _render(load_words(LANGUAGE_FILES, language)["offer.gone_title"], None, language)


def _render(title: str, offer: _OfferOnPage | None, language: str) -> str:
    return TEMPLATES.get_template("offer.html").render(
        title=title,
        css=Markup(CSS),  # noqa: S704  # our own style sheet
        offer=offer,
        words=load_words(LANGUAGE_FILES, language),
        tag=tag_of(language),
        switches=list_switches(language),
    )


def name_credential(configuration_id: str, language: str) -> str:
    """Return what the credential of a configuration is called."""
    metadata = load_type_metadata(CONFIGURATIONS[configuration_id].kind.name)
    return next(str(shown["name"]) for shown in metadata["display"] if shown["locale"] == language)
