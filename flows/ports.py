"""Ports of this machine."""

import errno
import socket

from shards.errors import BadInput


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(host: str, port: int, *, option: str = "--port") -> None:
    """Whoever listens there would answer in our server's place.

    Raises:
        BadInput: the port is taken, or not ours to take.
    """
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        if taken or error.errno == errno.EACCES:
            raise BadInput(
                f"port {port} is {'taken' if taken else 'not ours to take'}",
                remedy=f"{option} 0 takes a free one, or name another",
            ) from error
