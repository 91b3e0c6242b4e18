"""A platform of the test's own on another origin, under a strict content policy, with the button on its page."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import BrowserContext, Page, Route
from starlette.responses import HTMLResponse, Response

from service.demo.processes import DemoError
from service.verifier.button_api import NEWEST, hash_button
from tests.interop.support import Deployment
from tests.loopback import Party

PURPOSE = "us.506c"
PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>Units</title>
<script src="{ours}/button/{name}" type="module" crossorigin integrity="{integrity}"></script>
<script src="/events.js" type="module"></script></head>
<body><main><h1>Units</h1><prove-you-qualify start="/my/start" status="/my/status" purpose="{purpose}"
></prove-you-qualify></main></body></html>"""
EVENTS = """globalThis.heard = [];
for (const name of ["qualified", "declined", "failed"])
  document.addEventListener(name, (event) => heard.push([name, event.detail]));"""


def build_site(ours: str) -> Party:
    """Return the platform's pages, in English and in Chinese, under a strict policy that names the deployment."""
    policy = f"default-src 'none'; script-src 'self' {ours}; img-src {ours}; connect-src 'self'; base-uri 'none'"
    headers = {"Content-Security-Policy": f"{policy}; require-trusted-types-for 'script'"}
    values = {"ours": ours, "name": NEWEST, "integrity": hash_button(), "purpose": PURPOSE}
    pages = {
        f"/{language}": HTMLResponse(PAGE.format(language=language, **values), headers=headers)
        for language in ("en", "zh-Hans")
    }
    script = Response(EVENTS, media_type="text/javascript")
    return Party({"/favicon.ico": Response(status_code=204), "/events.js": script, **pages})


class Venue:
    """The platform's two addresses: answers the calls of its page, with its own secret towards the API."""

    def __init__(self, deployment: Deployment, origin: str) -> None:
        self.origin = origin
        self._client = deployment.platform
        self.made: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.out_of_order: list[int] = []
        """Statuses that the next calls of the page get instead of an answer; 0 breaks the connection."""
        self.answers: list[dict[str, Any]] = []
        """What the next calls for the status get, whatever the request's state is."""
        self.changes: dict[str, Any] = {}
        """What stands in answers to a start instead of what the API said."""

    async def open(self, context: BrowserContext, path: str = "/en") -> Page:
        """Open the page with the button."""
        page = await context.new_page()
        await page.goto(self.origin + path)
        return page

    async def read(self, place: int) -> Any:
        """Return what the API says of a request."""
        return await self._client.get(f"/v1/presentation-requests/{self.made[place]['id']}")

    async def answer(self, route: Route) -> None:
        """Answer one call of the page."""
        if self.out_of_order:
            status = self.out_of_order.pop(0)
            await (route.fulfill(status=status) if status else route.abort("connectionfailed"))
            return
        address = urlsplit(route.request.url)
        body = json.loads(route.request.post_data or "null")
        self.asked.append({"path": address.path, "body": body})
        asked_id = parse_qs(address.query).get("id", [""])[0]
        await route.fulfill(
            json=await (self._start(body) if address.path == "/my/start" else self._tell(asked_id, body))
        )

    async def _start(self, body: dict[str, Any]) -> Any:
        terms: dict[str, Any] = {"purpose": PURPOSE}
        if body["way"] in ("web", "app"):
            terms |= {"redirect_uri": f"{self.origin}/en", "same_device": True}
        if body["way"] == "browser":
            prefix = "decentralized_identifier"
            terms |= {"response_mode": "dc_api.jwt", "expected_origins": [self.origin], "client_id_prefix": prefix}
        made = await self._client.post("/v1/presentation-requests", terms)
        self.made.append(made)
        return made | self.changes

    async def _tell(self, asked_id: str, body: dict[str, Any] | None) -> Any:
        if self.answers:
            return self.answers.pop(0)
        if body is None:
            return await self._client.get(f"/v1/presentation-requests/{asked_id}")
        path = f"/v1/presentation-requests/{self.made[-1]['id']}"
        try:
            return await self._client.post(f"{path}/return", {"response_code": body["response_code"]})
        except DemoError:
            return await self._client.get(path)
