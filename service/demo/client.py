"""An organisation's own back-office program, written against the public API only."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from service.demo.processes import DemoError
from service.fetch import Fetcher

MAX_ANSWER_BYTES = 1024 * 1024


class OrganizationClient:
    """Calls /v1 with one API client's credentials.

    Args:
        fetcher: Allowed to reach ``base_url``.
        base_url: Of the service.
        seeded: Entry of the seed document: ``client_id`` and ``client_secret``.
        scope: Scopes to ask for, separated by spaces.
    """

    def __init__(self, fetcher: Fetcher, base_url: str, seeded: Mapping[str, Any], scope: str) -> None:
        self._fetcher = fetcher
        self._base_url = base_url
        self._seeded = seeded
        self._scope = scope
        self._token = ""
        self._count = 0

    async def authorize(self) -> str:
        """Return the value of the Authorization header; the token is fetched once."""
        if not self._token:
            pair = f"{self._seeded['client_id']}:{self._seeded['client_secret']}"
            answer = await self._fetcher.post(
                f"{self._base_url}/oauth/token",
                form={"grant_type": "client_credentials", "scope": self._scope},
                headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
            )
            self._token = json.loads(answer.body)["access_token"]
        return f"Bearer {self._token}"

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Call the API and return its JSON; anything but 2xx ends the story.

        Raises:
            DemoError: With the problem's code and detail.
        """
        headers = {"Authorization": await self.authorize()}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await self._fetcher.send(
            method, self._base_url + path, json=body, headers=headers, max_bytes=MAX_ANSWER_BYTES
        )
        document = json.loads(answer.body) if answer.body else None
        if answer.status >= 300:
            problem = document or {}
            raise DemoError(f"{method} {path}: {answer.status} {problem.get('code')}: {problem.get('detail')}")
        return document

    async def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        """POST; see ``call``."""
        return await self.call("POST", path, body, key=key)

    async def get(self, path: str) -> Any:
        """GET; see ``call``."""
        return await self.call("GET", path)
