"""Where connections may go: http(s) links to public addresses.

`check_link` looks at a link as it is written. That alone is not enough: a name, a redirect, a manifest or a second
answer of the name server can lead inside. So `gate.py` asks `is_allowed` again about the very address of every
connection.
"""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from curation.fetch.failures import FetchFailure
from curation.outcomes import Outcome

UNICAST6 = ipaddress.ip_network("2000::/3")
"""The only IPv6 addresses that public hosts have (RFC 4291); Python calls some beyond it global."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 dress of IPv4 addresses in networks without IPv4 (RFC 6052)."""

SPECIAL4 = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))
"""IPv4 ranges for protocols, no hosts (RFC 6890, RFC 7526), of which Python calls some global."""


class EgressRefused(OSError):
    """A connection to an address that is not allowed."""


def check_link(link: str, *, allow_loopback: bool = False) -> None:
    """Refuse what is no plain http(s) link, and hosts written as an address that is not public.

    Raises:
        FetchFailure: `BAD_LINK` or `BLOCKED_ADDRESS`, with what is wrong.
    """
    try:
        parts = urlsplit(link)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _bad(f"it cannot be parsed: {error}") from error
    if any(character.isspace() or ord(character) < 33 or character in "\\\x7f" for character in link):
        raise _bad("it holds white space, a control character or a backslash")
    if parts.scheme not in ("http", "https"):
        raise _bad(f"its scheme is {parts.scheme or 'missing'!r}")
    if not host or port == 0:
        raise _bad("it names no host")
    if "@" in parts.netloc:
        raise _bad("it holds credentials")
    address = numeric_address(host)
    if address and not is_allowed(address, allow_loopback=allow_loopback):
        raise FetchFailure(Outcome.BLOCKED_ADDRESS, f"{address} is not a public address")


def is_below(link: str, hosts: Sequence[str]) -> bool:
    """Whether a link's host is one of `hosts` or below one: `m.example.com` is below `example.com`."""
    host = (urlsplit(link).hostname or "").rstrip(".")
    if numeric_address(host):
        return host in hosts
    return any(host == one.lower() or host.endswith(f".{one.lower()}") for one in hosts)


def numeric_address(host: str) -> str | None:
    """The address that a host written as numbers stands for, None for a name; 2130706433 and 0x7f.1 are 127.0.0.1."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        pass
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def is_allowed(address: str, *, allow_loopback: bool) -> bool:
    """Whether a connection to a numeric IP address may be made."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return allow_loopback
    if isinstance(ip, ipaddress.IPv6Address):
        tunnelled = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in NAT64 else ip.sixtofour
        if tunnelled is None:
            return ip in UNICAST6 and ip.is_global
        ip = tunnelled
    return ip.is_global and not ip.is_multicast and not any(ip in special for special in SPECIAL4)


def _bad(detail: str) -> FetchFailure:
    return FetchFailure(Outcome.BAD_LINK, detail)
