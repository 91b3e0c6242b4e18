"""The page on which a person lets a wallet have what waits for them. It shows nothing of the person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from service.credentials.configurations import CONFIGURATIONS
from service.errors import ProtocolError
from service.issuer.authorization import GONE, NOT_PUSHED, OpenedRequest, make_form_seal
from service.issuer.identity import Issuer
from service.issuer.offer_page import CSS, LANGUAGE_FILES, PAGE_HEADERS, PAGE_POLICY, TEMPLATES, name_credential
from service.keys import Signer
from service.schema_files import load_type_metadata
from service.web.languages import list_switches, load_words, tag_of

# Without form-action: browsers apply it to every redirect that follows the form, and where the wallet's address leads
# on to is the wallet's affair. No script runs here, and only this form has the seal.
CONSENT_HEADERS = PAGE_HEADERS | {"Content-Security-Policy": PAGE_POLICY, "X-Frame-Options": "DENY"}

_REFUSALS = {GONE: "consent.gone", NOT_PUSHED: "consent.not_pushed"}


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


def render_consent(
    signer: Signer,
    issuer: Issuer,
    opened: OpenedRequest,
    *,
    wallet_name: str,
    language: str,
    query: Mapping[str, str] | None,
) -> str:
    """Render the question.

    Args:
        wallet_name: What the issuer's officers call the wallet.
        query: Of the page's address, for links to it in other languages; None if it has none that could be loaded.
    """
    offer, words = opened.offer, load_words(LANGUAGE_FILES, language)
    consent = _Consent(
        issuer=issuer.name,
        wallet=wallet_name,
        destination=_describe_destination(opened.row.redirect_uri, words),
        credential=None if offer is None else name_credential(offer.credential_configuration_id, language),
        claims="" if offer is None else _list_claims(offer.credential_configuration_id, language),
        action=f"{issuer.identifier}/authorize",
        request_id=opened.row.id,
        seal=make_form_seal(signer, opened.row.id, opened.browser),
        needs_code=offer is not None and offer.tx_code_digest is not None,
        wrong_code=opened.wrong_code,
    )
    switches = [] if query is None else list_switches(language, query)
    title = words["consent.title" if offer else "consent.nothing_title"]
    return _render(language, title=title, consent=consent, switches=switches)


def render_refusal(error: ProtocolError, language: str) -> str:
    """Render the page of a request that cannot be answered; it leads nowhere."""
    words = load_words(LANGUAGE_FILES, language)
    explanation = words[_REFUSALS.get(error.detail, "consent.unreadable")]
    return _render(language, title=words["consent.refused_title"], consent=None, explanation=explanation, switches=[])


def _render(language: str, **values: Any) -> str:
    return TEMPLATES.get_template("consent.html").render(
        css=Markup(CSS),  # noqa: S704  # our own style sheet
        words=load_words(LANGUAGE_FILES, language),
        language=language,
        tag=tag_of(language),
        **values,
    )


def _describe_destination(redirect_uri: str, words: Mapping[str, str]) -> str:
    parts = urlsplit(redirect_uri)
    return parts.hostname or words["consent.app"].format(scheme=parts.scheme)


def _list_claims(configuration_id: str, language: str) -> str:
    claims = load_type_metadata(CONFIGURATIONS[configuration_id].kind.name)["claims"]
    labels = [_find_label(claim, language) for claim in claims if claim["sd"] != "never"]
    return load_words(LANGUAGE_FILES, language)["consent.between"].join(labels)


def _find_label(claim: Mapping[str, Any], language: str) -> str:
    return next(str(shown["label"]) for shown in claim["display"] if shown["locale"] == language)
