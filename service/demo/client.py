"""An organisation's own back-office program, written against the public API only."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from service.demo.processes import DemoError
from service.fetch import Fetcher

MAX_ANSWER_BYTES = 1024 * 1024
_EARLY_S = 30


class RefusedCallError(DemoError):
    """The API answered with a problem.

    Attributes:
        status: Of the answer.
        problem: Its document; empty if it was none.
    """

    def __init__(self, call: str, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{call}: {status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.problem = problem


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
        self._ends_at_s = 0.0

    async def authorize(self) -> str:
        """Return the value of the Authorization header; a token is fetched anew shortly before it ends."""
        if time.monotonic() >= self._ends_at_s:
            pair = f"{self._seeded['client_id']}:{self._seeded['client_secret']}"
            answer = await self._fetcher.post(
                f"{self._base_url}/oauth/token",
                form={"grant_type": "client_credentials", "scope": self._scope},
                headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
            )
            if answer.status != 200:
                raise RefusedCallError("POST /oauth/token", answer.status, {})
            granted = json.loads(answer.body)
            self._token, self._ends_at_s = granted["access_token"], time.monotonic() + granted["expires_in"] - _EARLY_S
        return f"Bearer {self._token}"

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Call the API and return its JSON.

        Raises:
            RefusedCallError: Anything but 2xx.
            FetchError: The API can't be reached.
        """
        headers = {"Authorization": await self.authorize()}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await self._fetcher.send(
            method, self._base_url + path, json=body, headers=headers, max_bytes=MAX_ANSWER_BYTES
        )
        document = json.loads(answer.body) if answer.body else None
        if answer.status >= 300:
            raise RefusedCallError(f"{method} {path}", answer.status, document or {})
        return document

    async def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        """POST; see ``call``."""
        return await self.call("POST", path, body, key=key)

    async def get(self, path: str) -> Any:
        """GET; see ``call``."""
        return await self.call("GET", path)
