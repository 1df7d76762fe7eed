"""Cells that go through a spreadsheet: none is run as a formula, and what one saves is read again.

A program that opens a CSV takes a cell that begins with one of `= + - @`, a tab or a line break for a formula, whoever
wrote it: a caption of a stranger's list could run commands on a reviewer's machine. An apostrophe before it makes it a
text to all of them (OWASP, "CSV Injection").
"""

import re
from pathlib import Path

from curation.sources.text import MARK, decode_text

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile("'+[=+\\-@\t\r\n＝＋－＠]")
_ANNOUNCED = re.compile(r'"?sep=(.)"?\r?\n', re.I)


def guarded(text: str) -> str:
    """A text that no spreadsheet runs. Guarding is undone by `bare`, also of what looks guarded already."""
    return f"'{text}" if _FORMULA.match(text) else text


def bare(text: str) -> str:
    """The text that `guarded` was given."""
    return text[1:] if _GUARDED.match(text) else text


def read_as_saved(path: Path) -> tuple[bytes, str]:
    """A table as a spreadsheet saves it, in UTF-8 and without what stands before its header, and its delimiter."""
    text = decode_text(path.read_bytes()).removeprefix(MARK)
    if told := _ANNOUNCED.match(text):
        return text[told.end() :].encode("utf-8", "surrogateescape"), told[1]
    header = text.partition("\n")[0]
    return text.encode("utf-8", "surrogateescape"), max(",;\t", key=header.count)


def number(text: str) -> str:
    """A number as programs read it, which half the world's spreadsheets write with a comma."""
    return text.strip().replace(",", ".")
