"""Which host a link names, as strangers may know it: no user, no port, no bucket, nothing of a private network."""

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit

LOCAL, PRIVATE, STORE, UNREADABLE = "local files", "a private network", "an object store", "unreadable links"
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
_PRIVATE_ENDS = (".local", ".localdomain", ".localhost", ".internal", ".intranet", ".lan", ".corp", ".home", ".arpa")
"""RFC 6762 (with its appendix G), RFC 8375, and what ICANN keeps out of the public tree."""

_SECRET = re.compile(
    r"(.*[-_])?(sig|signature|token|api[-_]?key|passwd|password|secret|auth|authorization|credentials?)", re.IGNORECASE
)
"""Names of parameters that open something [ours]: `X-Amz-Signature`, `sig`, `access_token`, `api_key`."""


def holds_secret(link: str) -> bool:
    """Whether a link carries a user's name or password, or a parameter that looks like a key."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    if "://" not in link:
        return False
    return "@" in parts.netloc or any(_SECRET.fullmatch(name) for name, value in parse_qsl(parts.query) if value)


def public_host(link: str) -> str:
    """The host of an http(s) link in lower case; of anything that is nobody's business only what kind it is."""
    scheme, found, _ = link.partition("://")
    if not found:
        return LOCAL
    if scheme.lower() not in ("http", "https"):
        return STORE
    try:
        host = (urlsplit(link).hostname or "").rstrip(".")
        host = host if ":" in host else host.encode("idna").decode().lower()
    except ValueError:  # UnicodeError is one
        return UNREADABLE
    try:
        return host if ipaddress.ip_address(host).is_global else PRIVATE
    except ValueError:
        pass
    if "." not in host and host:
        return PRIVATE
    if not _HOST.fullmatch(host):
        return UNREADABLE
    return PRIVATE if host.endswith(_PRIVATE_ENDS) else host
