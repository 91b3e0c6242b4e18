"""What pages complain of while a test uses them."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Request, WebError

LOCAL_HOSTS = {"localhost", "127.0.0.1"}


class Watch:
    """Collects the complaints of every page of the contexts it watches."""

    def __init__(self) -> None:
        self._complaints: list[str] = []

    def over(self, context: BrowserContext) -> None:
        """Listen to all pages of a context, those that it opens later too."""
        context.on("weberror", self._note_error)
        context.on("console", self._note_message)
        context.on("request", self._note_request)

    def _note_error(self, error: WebError) -> None:
        self._complaints.append(f"uncaught: {error.error}")

    def _note_message(self, message: ConsoleMessage) -> None:
        # A breach of a content security policy is told here too, as an error.
        if message.type == "error":
            self._complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in LOCAL_HOSTS:
            self._complaints.append(f"request beyond this machine: {request.url}")

    def unexpected(self, expected: Iterable[str]) -> list[str]:
        """Return the complaints that no regular expression of ``expected`` finds."""
        return [each for each in self._complaints if not any(re.search(pattern, each) for pattern in expected)]
