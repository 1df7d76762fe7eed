"""Whether a licence is on a list."""

import re
from collections.abc import Sequence

from shards.licences import normal_licence


def licence_allowed(licence: str, allowed: Sequence[str]) -> bool:
    """Whether a licence is on a list; one without a version stands for all its versions, an empty list for all."""
    if not allowed:
        return True
    name = normal_licence(licence)
    return any(re.fullmatch(re.escape(normal_licence(one)) + r"(-\d(\.\d)?)?", name) for one in allowed)
