"""What came of what, for Prefect: source -> snapshot -> checkpoint, as assets, which its server has as events."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from curation.sources.read import is_path
from flows.secrets import redacted

MOST_NAMED = 50
"""Sources that are named with a snapshot; a list of thousands of links says no more."""

LONGEST = 512
"""Characters of an asset's key, by Prefect."""

_REFUSED = re.compile(r"""[\s\0#?&%"'<>\[\]{}|\\^`]""")

_SCHEME = re.compile(r"[a-z0-9]+://")


def asset_key(place: str | Path) -> str:
    """A source, snapshot or run as Prefect names assets: its URI, without what opens it and what a key may not hold."""
    words = redacted(str(place))
    kind, colon, rest = words.partition(":")
    if _SCHEME.match(words):
        uri = words
    elif colon and not is_path(words):
        # A list, or a search of a site, as we write them.
        uri = f"{kind}://{rest}"
    else:
        uri = f"file://{Path(words).absolute()}"
    return _REFUSED.sub("_", uri)[:LONGEST]


def tell_made(place: str | Path, *, of: Iterable[str | Path], facts: Mapping[str, object]) -> None:
    """Tell Prefect, from within a flow, that something was made of something.

    Args:
        place: what was made: the folder or the prefix of a snapshot or of a training run.
        of: what it was made of; the first ones are named.
        facts: what is kept with it.
    """
    from prefect.assets import Asset, add_asset_metadata, materialize
    from prefect.cache_policies import NO_CACHE

    key = asset_key(place)
    named = [one for one in dict.fromkeys(map(asset_key, of)) if one != key]
    parts: list[str | Asset] = [*named[:MOST_NAMED]]

    @materialize(key, asset_deps=parts, name="tell what was made", cache_policy=NO_CACHE)
    def tell() -> None:
        add_asset_metadata(key, dict(facts))

    tell()
