"""Names of licences as people and sites write them, and whether one is on a list."""

import re
from collections.abc import Sequence

_CC_LINK = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)(?:/(\d\.\d))?")
_VERSION = re.compile(r"(?:[ -]|\bv)(\d(?:\.\d)?)\b")
_WORDS = (
    (r"\bcc0\b|\bcc[ -]zero\b|public domain dedication", "CC0"),
    (r"public domain", "PUBLIC-DOMAIN"),
    (r"\bby[ -]nc[ -]sa\b|noncommercial[- ]sharealike", "CC-BY-NC-SA"),
    (r"\bby[ -]nc[ -]nd\b|noncommercial[- ]noderiv", "CC-BY-NC-ND"),
    (r"\bby[ -]nc\b|non-?commercial", "CC-BY-NC"),
    (r"\bby[ -]nd\b|noderiv", "CC-BY-ND"),
    (r"\bby[ -]sa\b|share-?alike", "CC-BY-SA"),
    (r"\bcc[ -]by\b|creative commons.*attribution", "CC-BY"),
)


def normal_licence(text: str) -> str:
    """A licence in one spelling: Creative Commons as `CC-BY-SA-4.0`, anything else as written, in capitals.

    "Creative Commons Attribution license (reuse allowed)", as YouTube says, is `CC-BY`.
    """
    words = " ".join(text.strip().lower().split())
    if found := _CC_LINK.search(words):
        name = "CC0" if found[2] == "zero" else f"CC-{found[2].upper()}"
        return f"{name}-{found[3]}" if found[3] else name
    for pattern, name in _WORDS:
        if re.search(pattern, words):
            version = _VERSION.search(words)
            return f"{name}-{version[1]}" if version else name
    return words.upper().replace(" ", "-")


def licence_allowed(licence: str, allowed: Sequence[str]) -> bool:
    """Whether a licence is on a list; one without a version stands for all its versions, an empty list for all."""
    if not allowed:
        return True
    name = normal_licence(licence)
    return any(re.fullmatch(re.escape(normal_licence(one)) + r"(-\d(\.\d)?)?", name) for one in allowed)
