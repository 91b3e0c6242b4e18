"""The page that carries a presentation request to a wallet."""

import base64
import hashlib

import segno
from jinja2 import Environment

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "svg{width:100%;max-width:20rem;height:auto}a{overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# No scripts, no frames, no requests to anybody: the page shows a link and a picture.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LONG_LINK = 2000  # characters; above it a code holds more with less redundancy
_TEMPLATE = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Presentation request</title>
<style>{{ style|safe }}</style>
</head>
<body>
<main>
<h1>{{ verifier }} asks for a presentation</h1>
{% if link %}
<p>{% if picture %}Scan the code with your wallet, or open it on this device.
{% else %}Open it in your wallet on this device.
{% endif %}Your wallet shows what is asked before anything is sent.</p>
{% if picture %}{{ picture|safe }}{% endif %}
<p><a href="{{ link }}">Open in wallet</a></p>
{% else %}
<p>This request has been answered or has expired. Go back to {{ verifier }} to start again.</p>
{% endif %}
</main>
</body>
</html>
"""
)


def render_request_page(verifier: str, link: str | None) -> str:
    """Return the page as HTML.

    Args:
        verifier: Name of the platform; escaped.
        link: Deep link into a wallet; None if the request is no longer open.
    """
    picture = "" if link is None else _draw(link)
    return _TEMPLATE.render(verifier=verifier, link=link, picture=picture, style=_STYLE)


def _draw(link: str) -> str:
    try:
        code = segno.make(link, error="m" if len(link) < _LONG_LINK else "l")
    except segno.DataOverflowError:  # a request that stands in the link itself may be longer than any code
        return ""
    return code.svg_inline(scale=4, title="QR code", omitsize=True)
