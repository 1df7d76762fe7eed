"""Words of strangers before they reach a terminal, a file or a database."""

import unicodedata

_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings and overrides let text read otherwise than it is; the marks that scripts need are not among them."""


def printable(text: str, *, lines: bool = False) -> str:
    """Text without what steers a terminal, reorders what is read, or is half a character.

    Tabs and line breaks become spaces; with `lines` plain line breaks stay.
    """
    return "\n".join(map(_line, text.replace("\r\n", "\n").split("\n"))) if lines else _line(text)


def _line(text: str) -> str:
    return "".join(_kept(one) for one in text)


def _kept(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind in ("Zl", "Zp") or letter in "\n\r\t\v\f\x85":
        return " "
    return "" if kind in ("Cc", "Cs") or letter in _REORDERING else letter
