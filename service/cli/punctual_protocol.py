"""End connections on which a request never comes whole; the server itself would wait for it for ever."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ANSWER = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class PunctualProtocol(HttpToolsProtocol):
    """HTTP whose requests have to arrive: the head within ``WINDOW_S``, of the body at least ``LEAST_BYTES`` in each.

    A file of 10 MiB may so take its time, and a body of an API call at most about as many seconds as it has KiB. The
    answer may take as long as it likes, and between requests the server's own timeout counts.
    Source: RFC 9110, section 15.5.9.
    """

    WINDOW_S = 20.0
    LEAST_BYTES = 20 * 1024

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._window: asyncio.TimerHandle | None = None
        self._is_awaited = True  # from the connection on: who says nothing is too late too
        self._has_head = False
        self._arrived = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._open_window()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._close_window()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived; most requests arrive at once, and start no timer."""
        self._arrived += len(data)
        super().data_received(data)
        if not self._is_awaited:
            self._close_window()
        elif self._window is None:
            self._open_window()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        super().on_message_begin()
        self._is_awaited, self._has_head = True, False

    def on_headers_complete(self) -> None:
        """Wait for no more than the body."""
        super().on_headers_complete()
        self._has_head = True

    def on_message_complete(self) -> None:
        """Wait no longer: the request is whole."""
        super().on_message_complete()
        self._is_awaited = False

    def _open_window(self) -> None:
        self._arrived = 0
        self._window = self.loop.call_later(self.WINDOW_S, self._end_window)

    def _close_window(self) -> None:
        if self._window is not None:
            self._window.cancel()
            self._window = None

    def _end_window(self) -> None:
        self._window = None
        if self._has_head and self._arrived >= self.LEAST_BYTES:
            self._open_window()
        elif not self.transport.is_closing():
            if not self._has_head:  # with a head, the application may have begun to answer
                self.transport.write(_ANSWER)
            self.transport.close()
