"""HTTP/1.1 as the service speaks it: requests have to come whole in time, and short answers go in one piece."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ANSWER = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class WholeAnswer:
    """The transport of one answer: its head waits for what comes right after it, since each write wakes the client."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self._has_begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write; what comes first goes with the second write, or at the latest when the loop turns."""
        if not self._has_begun:
            self._has_begun, self._held = True, data
            self._loop.call_soon(self._let_go)
            return
        held, self._held = self._held, None
        self._transport.write(data if held is None else held + data)

    def close(self) -> None:
        """Close after all that was written."""
        self._let_go()
        self._transport.close()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._transport.write(held)


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
        if self.cycle is not None and self.cycle.transport is self.transport:
            self.cycle.transport = WholeAnswer(self.transport, self.loop)  # type: ignore[assignment]  # as one
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
