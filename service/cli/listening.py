"""Sockets that servers of ours listen on."""

import socket

from service.errors import ServiceError

BACKLOG = 2048


class AddressUnavailableError(ServiceError):
    """The service cannot listen there."""

    code = "address_unavailable"


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that worker processes may inherit.

    Raises:
        AddressUnavailableError: See ``code``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AddressUnavailableError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
    listener.set_inheritable(True)
    return listener
