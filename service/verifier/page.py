"""The page that carries a presentation request to a wallet."""

import base64
import hashlib

from jinja2 import Environment

from service.web.qr_code import draw_qr_code

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "svg{width:100%;max-width:20rem;height:auto}a{overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# No scripts, no frames, no requests to anybody: the page shows a link and a picture.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
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
{{ picture }}
<p><a href="{{ link }}">Open in wallet</a></p>
<p><a href="{{ wallet_link }}">Open in the web wallet</a></p>
{% else %}
<p>This request has been answered or has expired. Go back to {{ verifier }} to start again.</p>
{% endif %}
</main>
</body>
</html>
"""
)


async def render_request_page(verifier: str, link: str | None, wallet_link: str | None) -> str:
    """Return the page as HTML.

    Args:
        verifier: Name of the platform; escaped.
        link: Deep link into a wallet; None if the request is no longer open.
        wallet_link: Into this deployment's web wallet; None likewise.
    """
    picture = "" if link is None else await draw_qr_code(link, title="QR code")
    return _TEMPLATE.render(verifier=verifier, link=link, wallet_link=wallet_link, picture=picture, style=_STYLE)
