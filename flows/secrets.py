"""Links as they may be shown: without a user's name, password, or the keys that a query or a fragment may hold."""

import re

SHOWN_KEYS = frozenset({"v", "list", "t", "start", "index", "page"})
"""Keys of a query that say which video is meant and open nothing [ours]."""

HIDDEN = "***"

_USER = re.compile(r"(?<=://)[^/?#\s@]*(?:@[^/?#\s@]*)*@")
_QUERY = re.compile(r"([?&;])([^=&;#\s]+)=([^&;#\s]*)")
_FRAGMENT = re.compile(r"#\S+")


def redacted(source: str) -> str:
    """A link, or whatever is no link as it is: `https://me:pw@host/a?v=1&sig=2` is `https://***@host/a?v=1&sig=***`."""
    head, found, rest = source.partition("://")
    if not found:
        return source
    user = _USER.sub(f"{HIDDEN}@", found + rest)
    query = _QUERY.sub(lambda one: one[0] if one[2] in SHOWN_KEYS else f"{one[1]}{one[2]}={HIDDEN}", user)
    return head + _FRAGMENT.sub(f"#{HIDDEN}", query)
