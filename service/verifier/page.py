"""The page that carries a presentation request to a wallet."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment

from service.web.languages import list_switches, load_words, tag_of
from service.web.qr_code import draw_qr_code

LANGUAGE_FILES = Path(__file__).parent / "languages"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "svg{width:100%;max-width:20rem;height:auto}a,h1{overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# No scripts, no frames, no requests to anybody: the page shows a link and a picture.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TEMPLATE = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="{{ tag }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ words["title"] }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
<main>
<h1>{{ words["asks"].format(name=verifier) }}</h1>
{% if link %}
<p>{{ words["scan_or_open"] if picture else words["open_here"] }} {{ words["before"] }}</p>
{{ picture }}
<p><a href="{{ link }}">{{ words["open_wallet"] }}</a></p>
<p><a href="{{ wallet_link }}">{{ words["open_web_wallet"] }}</a></p>
{% else %}
<p>{{ words["over"].format(name=verifier) }}</p>
{% endif %}
</main>
<footer>{% for other in switches %}
<a href="{{ other.href }}" lang="{{ other.tag }}" hreflang="{{ other.tag }}">{{ other.name }}</a>{% endfor %}

</footer>
</body>
</html>
"""
)


async def render_request_page(verifier: str, link: str | None, wallet_link: str | None, *, language: str) -> str:
    """Return the page as HTML.

    Args:
        verifier: Name of the platform; escaped.
        link: Deep link into a wallet; None if the request is no longer open.
        wallet_link: Into this deployment's web wallet; None likewise.
        language: One of ``LANGUAGES``.
    """
    words = load_words(LANGUAGE_FILES, language)
    return _TEMPLATE.render(
        verifier=verifier,
        link=link,
        wallet_link=wallet_link,
        picture="" if link is None else await draw_qr_code(link, title=words["picture"]),
        style=_STYLE,
        words=words,
        tag=tag_of(language),
        switches=list_switches(language),
    )
