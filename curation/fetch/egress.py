"""Where connections may go: http(s) links to public addresses.

A link is brought into one form first, and only that form is used: what a check reads is what a library connects to.
That alone is not enough: a name, a redirect, a manifest or a second answer of the name server can lead inside. So
`dial.py` asks `is_allowed` again about the very address of every connection.
"""

import ipaddress
import socket
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote, urlsplit, urlunsplit

from curation.fetch.failures import FetchFailure
from curation.outcomes import Outcome

UNICAST6 = ipaddress.ip_network("2000::/3")
"""The only IPv6 addresses that public hosts have (RFC 4291); Python calls some beyond it global."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 dress of IPv4 addresses in networks without IPv4 (RFC 6052)."""

SPECIAL = tuple(
    ipaddress.ip_network(one)
    for one in (
        # For protocols, no hosts (RFC 6890, RFC 7526), of which Python calls some global.
        *("192.0.0.0/24", "192.88.99.0/24", "2001::/23"),
        # For documents (RFC 9637); Python before 3.13 calls it global.
        "3fff::/20",
        # Services of a cloud's host to its machines at addresses that look public: Azure's WireServer, IBM's endpoints.
        *("168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14"),
    )
)
"""Ranges that no public host lies in, though `ipaddress` takes them for global."""

LONGEST_NAME = 253
"""Characters of a host name (RFC 1035)."""

LONGEST_LINK = 8192
"""Characters of a link; servers take some 8,000 bytes for a whole request line [ours]."""

INNER_NAMES = frozenset(
    {"localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "localdomain", "home.arpa"}
)
"""Endings of names that mean something in one network only (RFC 6761, RFC 6762 appendix G, RFC 8375)."""


class EgressRefused(OSError):
    """A connection to an address that is not allowed."""


def check_link(link: str, *, allow_loopback: bool = False) -> str:
    """A link in its one form; refuses what is no plain http(s) link, and hosts that are not public by how they look.

    The host is unquoted, mapped as names are (IDNA: compatibility forms, full-width digits, soft hyphens), lower-case,
    and an address that is written as a number in another way is written plainly.

    Raises:
        FetchFailure: `BAD_LINK` or `BLOCKED_ADDRESS`, with what is wrong.
    """
    if len(link) > LONGEST_LINK:
        raise _bad(f"it is longer than {LONGEST_LINK} characters")
    if any(character.isspace() or ord(character) < 33 or character in "\\\x7f" for character in link):
        raise _bad("it holds white space, a control character or a backslash")
    try:
        parts = urlsplit(link)
        host, port = normal_host(parts.hostname or ""), parts.port
    except ValueError as error:
        raise _bad(f"it cannot be parsed: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise _bad(f"its scheme is {parts.scheme or 'missing'!r}")
    if not host or port == 0:
        raise _bad("it names no host")
    if "@" in parts.netloc:
        raise _bad("it holds credentials")
    if refused := _inner(host, allow_loopback=allow_loopback):
        raise FetchFailure(Outcome.BLOCKED_ADDRESS, f"{refused} is not a public address")
    place = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=place if port is None else f"{place}:{port}"))


@lru_cache(maxsize=4096)
def normal_host(host: str) -> str:
    """A host in the one form that is checked and used; an address without brackets.

    Raises:
        ValueError: it cannot be a host.
    """
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    plain = unquote(host, errors="strict").encode("idna").decode("ascii").lower().removesuffix(".")
    odd = any(character in "%/?#@:\\[]" or not 33 <= ord(character) < 127 for character in plain)
    if odd or len(plain) > LONGEST_NAME:
        raise ValueError(f"{plain!r} is no host")
    return numeric_address(plain) or plain


def is_below(link: str, hosts: Sequence[str]) -> bool:
    """Whether a link's host is one of `hosts` or below one: `m.example.com` is below `example.com`."""
    try:
        host = normal_host(urlsplit(link).hostname or "")
        wanted = [normal_host(one) for one in hosts]
    except ValueError:
        return False
    if numeric_address(host):
        return host in wanted
    return any(host == one or host.endswith(f".{one}") for one in wanted)


def _inner(host: str, *, allow_loopback: bool) -> str:
    """What of a host in its normal form shows that it is not public; "" where nothing does."""
    if address := numeric_address(host):
        return "" if is_allowed(address, allow_loopback=allow_loopback) else address
    if host.split(".")[-1] == "localhost":
        return "" if allow_loopback else host
    return host if any(host.endswith(f".{one}") for one in INNER_NAMES) or "." not in host else ""


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
            return ip in UNICAST6 and ip.is_global and not _is_special(ip)
        ip = tunnelled
    return ip.is_global and not ip.is_multicast and not _is_special(ip)


def _is_special(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(ip in network for network in SPECIAL if network.version == ip.version)


def _bad(detail: str) -> FetchFailure:
    return FetchFailure(Outcome.BAD_LINK, detail)
