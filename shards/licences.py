"""Names of licences as people and sites write them, in one spelling, and what the Hugging Face hub calls them."""

import re

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
UNKNOWN, OTHER = "unknown", "other"
_CREATIVE_COMMONS = {
    "cc-by": ("2.0", "2.5", "3.0", "4.0"),
    "cc-by-sa": ("3.0", "4.0"),
    "cc-by-nc": ("2.0", "3.0", "4.0"),
    "cc-by-nd": ("4.0",),
    "cc-by-nc-nd": ("3.0", "4.0"),
    "cc-by-nc-sa": ("2.0", "3.0", "4.0"),
}
ON_THE_HUB = frozenset({"apache-2.0", "mit", "bsd-3-clause", "odbl", "odc-by", "pddl", "cc0-1.0"}) | {
    f"{name}-{version}" for name, versions in _CREATIVE_COMMONS.items() for version in versions
}
"""https://huggingface.co/docs/hub/repositories-licenses, those that works of picture and sound come under."""


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


def hub_licence(text: str) -> str:
    """What the hub calls a licence: `cc-by-4.0`; `cc` for one of Creative Commons that it has no name for.

    `unknown` where none is stated, `other` for any that the hub does not know.
    """
    name = normal_licence(text).lower()
    if not name:
        return UNKNOWN
    name = {"cc0": "cc0-1.0"}.get(name, name)
    if name in ON_THE_HUB:
        return name
    return "cc" if name.startswith("cc-by") else OTHER
